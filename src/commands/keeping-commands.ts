import type { Add } from './command.js'

/** The commands about what PostgreSQL cannot give back. */
export function addKeepingCommands(_add: Add): void {}
