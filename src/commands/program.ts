import { Command, CommanderError, Option } from 'commander'
import { parseDuration } from '../config/duration.js'
import { loadConfig } from '../config/load.js'
import { configError } from '../config/problem.js'
import type { Config } from '../config/schema.js'
import { version } from '../version.js'
import { type Answer, printAnswer, printFailure } from './answer.js'
import { restore } from './restore.js'
import { type TriggersOptions, triggers } from './triggers.js'
import { verify } from './verify.js'
import { wait } from './wait.js'
import { watch } from './watch.js'

const ABOUT =
  'Notices within milliseconds that a Redis has lost its data, and restores it from PostgreSQL, symbol by symbol.'

const MORE = `
Examples:
  rekindle restore                     fill Redis once, before the workers start
  rekindle triggers --apply            have PostgreSQL announce changes, once
  rekindle watch                       guard Redis from then on
  rekindle wait --symbol BTCUSDT && start-worker
  rekindle verify --json | jq .lacks

Exit status:
  0  done
  1  it ran, and found differences or hit trouble
  2  the configuration or the call is wrong: a line on stderr says what

Environment:
  REKINDLE_CONFIG      the configuration, where --config does not name it
  REDIS_URL            wins over redis.url
  DATABASE_URL         wins over postgres.url
  LOG_LEVEL            wins over log.level
  NODE_EXTRA_CA_CERTS  certificates to trust, beside those of the system

rekindle help COMMAND tells more about one command.`

const PATIENTLY = 'how long to wait while a server is away and nothing gets done'

interface GlobalOptions {
  readonly config?: string
  readonly json?: boolean
}

/** Runs Rekindle with the arguments of its command line; prints, never throws, and gives the exit status. */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  // Known before the arguments are parsed, since that can fail.
  const json = args.includes('--json')
  let status = 0
  const program = rekindle(env, (result) => {
    status = typeof result === 'number' ? result : printAnswer(result, json)
  })
  try {
    await program.parseAsync([...args], { from: 'user' })
    return status
  } catch (error) {
    if (!(error instanceof CommanderError)) return printFailure(error, json)
    if (error.exitCode === 0) return 0
    return error.code === 'commander.help' ? 2 : printFailure(wrongCall(error), json)
  }
}

/** Adds a command that runs with the configuration; its help is a sentence or two. */
type Add = <Options>(
  name: string,
  summary: string,
  about: string,
  act: (config: Config, options: Options & GlobalOptions) => Promise<number | Answer>,
) => Command

/** The whole command line; `done` takes the exit status of a command, or the answer that is to be printed. */
function rekindle(env: NodeJS.ProcessEnv, done: (result: number | Answer) => void): Command {
  const program = new Command('rekindle')
    .description(ABOUT)
    .version(version)
    .option(
      '-c, --config <file>',
      'the configuration; else config/rekindle.yaml or /etc/rekindle/rekindle.yaml, if there',
    )
    .option('--json', 'answer with one JSON object on stdout, also if it fails')
    .configureHelp({ showGlobalOptions: true })
    // What is wrong is printed by ourselves, as one line; help is printed as it is.
    .configureOutput({ outputError: () => undefined })
    .exitOverride()
    .addHelpText('after', MORE)
  const add: Add = (name, summary, about, act) =>
    program
      .command(name)
      .summary(summary)
      .description(about)
      .action(async (_options: unknown, command: Command) => {
        const options = command.optsWithGlobals<Parameters<typeof act>[1]>()
        done(await act(loadConfig({ file: options.config, env }), options))
      })
  for (const addCommand of [addWatch, addRestore, addVerify, addWait, addTriggers]) addCommand(add)
  return program
}

function addWatch(add: Add): void {
  add(
    'watch',
    'guard Redis until it is stopped: the daemon',
    'Guards Redis until SIGTERM or SIGINT: notices a loss, says so in its log, restores what is missing, and keeps ' +
      'Redis equal to PostgreSQL. The log is one JSON object a line on stdout.',
    watch,
  )
}

function addRestore(add: Add): void {
  add<{ symbol: string[]; timeout: number }>(
    'restore',
    'make Redis whole once, and exit',
    'Compares Redis with PostgreSQL, writes what is missing or differs, verifies it and marks it ready. What is whole ' +
      'is not written again, so it may be run at any time. Run it before the workers start.',
    (config, { symbol, timeout }) => restore(config, { symbols: symbol, timeout }),
  )
    .addOption(symbolOption('restore this symbol only; may be repeated'))
    .addOption(timeoutOption(PATIENTLY))
}

function addVerify(add: Add): void {
  add<{ repair?: boolean; timeout: number }>(
    'verify',
    'compare all of Redis with PostgreSQL',
    'Compares every key, value by value, and lists those that differ; then it exits with 1. Writes nothing unless it ' +
      'is to repair.',
    (config, { repair = false, timeout }) => verify(config, { repair, timeout }),
  )
    .option('--repair', 'write what lacks, and compare again')
    .addOption(timeoutOption(PATIENTLY))
}

function addWait(add: Add): void {
  add<{ symbol: string[]; timeout: number }>(
    'wait',
    'wait until Redis is ready for the workers',
    'Exits with 0, silently, as soon as Redis is whole, or the named symbols are. Asks Redis only; it is watch or ' +
      'restore that makes it ready.',
    (config, { symbol, timeout }) => wait(config, { symbols: symbol, timeout }),
  )
    .addOption(symbolOption('wait for this symbol only; may be repeated'))
    .addOption(timeoutOption('how long to wait'))
}

function addTriggers(add: Add): void {
  add<TriggersOptions>(
    'triggers',
    'print, install or remove the triggers that announce changes',
    'Prints the SQL of the triggers by which PostgreSQL announces which symbols have changed, or installs or removes ' +
      'them. Without them, changes are found by polling.',
    (config, options) => triggers(config, options, (text) => process.stdout.write(`${text}\n`)),
  )
    .option('--apply', 'install them; to repeat it does no harm')
    .option('--drop', 'remove them')
    .option('--candles', 'also announce changes of candles')
}

function symbolOption(about: string): Option {
  return new Option('-s, --symbol <symbol>', about)
    .default([], 'all')
    .argParser((value: string, before: string[]) => [...before, value])
}

function timeoutOption(about: string): Option {
  return new Option('-t, --timeout <duration>', about).default(30_000, '30s').argParser((value: string) => {
    try {
      return parseDuration(value)
    } catch (error) {
      throw configError('--timeout', `${JSON.stringify(value)} ${(error as Error).message}`)
    }
  })
}

/** Commander's error as one line: `unknown option '--jsn' (Did you mean --json?)`. */
function wrongCall({ message }: CommanderError): Error {
  const [what = '', ...guess] = message.replace(/^error: |\.$/g, '').split('\n')
  const help = guess.length > 0 ? ` ${guess.join(' ')}` : '; see rekindle --help'
  return configError(what + help)
}
