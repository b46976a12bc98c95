import { addBackup } from './backup.js'
import type { Add } from './command.js'
import { addDoctor } from './doctor.js'
import { addRecover } from './recover.js'
import { addUndo } from './undo.js'

/** The commands about what PostgreSQL cannot give back. */
export function addKeepingCommands(add: Add): void {
  for (const addCommand of [addBackup, addDoctor, addRecover, addUndo]) addCommand(add)
}
