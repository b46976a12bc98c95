/** What can stand on a command line, read from the commands themselves. */

import type { Command, Option } from 'commander'

/** What the value of an option is: the name of a file or a folder, one of some words, or (no words) what only the user knows. */
export type Value = 'file' | 'folder' | readonly string[]

export interface Flag {
  /** `-c` and `--config`. */
  readonly names: readonly string[]
  readonly about: string
  /** Undefined where none follows. */
  readonly value: Value | undefined
}

export interface Words {
  readonly name: string
  readonly about: string
  readonly flags: readonly Flag[]
  /** What may follow the name; empty where no word is known. */
  readonly acts: readonly string[]
}

/** The options of the program, and its commands; `acts` are those of commands that do not tell commander theirs. */
export function readWords(
  program: Command,
  acts: Readonly<Record<string, readonly string[]>>,
): { flags: Flag[]; commands: Words[] } {
  const help = program.createHelp()
  const visible = help.visibleCommands(program)
  const known = { ...acts, help: visible.map((command) => command.name()) }
  const commands = visible.map((command): Words => {
    const name = command.name()
    return {
      name,
      about: command.summary() || command.description(),
      flags: [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)].map(flagOf),
      acts: known[name as keyof typeof known] ?? command.registeredArguments[0]?.argChoices ?? [],
    }
  })
  return { flags: help.visibleOptions(program).map(flagOf), commands }
}

function flagOf({ short, long, description, required, optional, argChoices, flags }: Option): Flag {
  const names = [short, long].filter((name) => name !== undefined)
  // A value is called by what it is: `--config <file>`.
  const kind = /<(file|folder)>/.exec(flags)?.[1]
  const value = kind === 'file' || kind === 'folder' ? kind : (argChoices ?? [])
  return { names, about: description, value: required || optional ? value : undefined }
}
