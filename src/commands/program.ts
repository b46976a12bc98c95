import { Command, CommanderError } from 'commander'
import { loadConfig } from '../config/load.js'
import { configError } from '../config/problem.js'
import type { Config } from '../config/schema.js'
import { secretsIn, secretsOf } from '../config/secrets.js'
import { keepSecret } from '../output.js'
import { version } from '../version.js'
import { type Answer, printAnswer, printFailure } from './answer.js'
import type { Add } from './command.js'
import { addCompletion } from './completion.js'
import { addHealingCommands } from './healing-commands.js'
import { addKeepingCommands } from './keeping-commands.js'

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
  REKINDLE_CONFIG        the configuration, where --config does not name it
  REDIS_URL              wins over redis.url
  DATABASE_URL           wins over postgres.url
  DATABASE_LISTEN_URL    wins over postgres.listen_url
  ALERTS_WEBHOOK_URL     wins over alerts.webhook.url
  ALERTS_WEBHOOK_SECRET  wins over alerts.webhook.secret
                         these five also as REDIS_URL_FILE, …: a file with it
  HTTP_LISTEN            wins over http.listen
  LOG_LEVEL              wins over log.level
  NODE_EXTRA_CA_CERTS    certificates to trust, beside those of the system

rekindle help COMMAND tells more about one command.`

/** Runs Rekindle with the arguments of its command line; prints, never throws, and gives the exit status. */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  // Known before the arguments are parsed, since that can fail.
  const json = args.includes('--json')
  keepSecret(secretsIn(env))
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
      .action(async (...all: unknown[]) => {
        const command = all.at(-1) as Command
        const options = command.optsWithGlobals<Parameters<typeof act>[1]>()
        const load = (): Config => {
          const config = loadConfig({ file: options.config, env })
          keepSecret(secretsOf(config, env))
          return config
        }
        done(await act(load(), options, command.args, { env, load }))
      })
  addHealingCommands(add)
  addKeepingCommands(add)
  addCompletion(program, done)
  return program
}

/** Commander's error as one line: `unknown option '--jsn' (Did you mean --json?)`. */
function wrongCall({ message }: CommanderError): Error {
  const [what = '', ...guess] = message.replace(/^error: |\.$/g, '').split('\n')
  const help = guess.length > 0 ? ` ${guess.join(' ')}` : '; see rekindle --help'
  return configError(what + help)
}
