import { type Command, Option } from 'commander'
import { parseDuration } from '../config/duration.js'
import { configError } from '../config/problem.js'
import type { Config } from '../config/schema.js'
import type { Answer } from './answer.js'

/** Options of every command. */
export interface GlobalOptions {
  readonly config?: string
  readonly json?: boolean
}

/** What a command may need beside its configuration. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv
  /** Reads the configuration again, from where it came; throws a ConfigError. */
  readonly load: () => Config
}

/**
 * Adds a command that runs with the configuration; its help is a sentence or two. `name` may go on with arguments, `backup [act]`,
 * whose values `act` is given last.
 */
export type Add = <Options>(
  name: string,
  summary: string,
  about: string,
  act: (
    config: Config,
    options: Options & GlobalOptions,
    args: readonly string[],
    surroundings: Surroundings,
  ) => Promise<number | Answer>,
) => Command

/** `--symbol`, which may be repeated; all if it is not there. */
export function symbolOption(about: string): Option {
  return new Option('-s, --symbol <symbol>', about)
    .default([], 'all')
    .argParser((value: string, before: string[]) => [...before, value])
}

/** `--timeout`, in ms, 30 s unless given. */
export function timeoutOption(about: string): Option {
  return new Option('-t, --timeout <duration>', about).default(30_000, '30s').argParser((value: string) => {
    try {
      return parseDuration(value)
    } catch (error) {
      throw configError('--timeout', `${JSON.stringify(value)} ${(error as Error).message}`)
    }
  })
}
