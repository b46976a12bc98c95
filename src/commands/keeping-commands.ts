import type { Add } from './command.js'
import { addDoctor } from './doctor.js'

/** The commands about what PostgreSQL cannot give back. */
export function addKeepingCommands(add: Add): void {
  for (const addCommand of [addDoctor]) addCommand(add)
}
