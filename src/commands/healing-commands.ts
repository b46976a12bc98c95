import { configError } from '../config/problem.js'
import { hasDatasets } from '../config/schema.js'
import { type Add, symbolOption, timeoutOption } from './command.js'
import { restore } from './restore.js'
import { type TriggersOptions, triggers } from './triggers.js'
import { verify } from './verify.js'
import { wait } from './wait.js'
import { watch } from './watch.js'

const PATIENTLY = 'how long to wait while a server is away and nothing gets done'

const NOTHING =
  'has nothing to keep equal to PostgreSQL, as candles and indicators are off and there are no rows; one of them should be on'

/** The commands that keep Redis equal to PostgreSQL. */
export function addHealingCommands(add: Add): void {
  const addHealing: Add = <Options>(...[name, summary, about, act]: Parameters<typeof add<Options>>) =>
    add<Options>(name, summary, about, (config, ...rest) => {
      if (!hasDatasets(config)) throw configError(`rekindle ${name}`, NOTHING)
      return act(config, ...rest)
    })
  addWatch(add)
  for (const addCommand of [addRestore, addVerify, addWait, addTriggers]) addCommand(addHealing)
}

function addWatch(add: Add): void {
  add(
    'watch',
    'guard Redis until it is stopped: the daemon',
    'Guards Redis until SIGTERM or SIGINT: notices a loss, says so in its log, restores what is missing, and keeps ' +
      'Redis equal to PostgreSQL. SIGHUP reads the configuration again. The log is one JSON object a line on stdout.',
    (config, _options, _args, surroundings) => watch(config, surroundings),
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
    'Prints the SQL of the triggers by which PostgreSQL announces which symbols have changed, installs or removes ' +
      'them, or says how changes are found now: without triggers, by polling.',
    (config, options) => triggers(config, options, (text) => process.stdout.write(`${text}\n`)),
  )
    .option('--apply', 'install them; to repeat it does no harm')
    .option('--drop', 'remove them')
    .option('--status', 'say by what, and within what time, changes of each table are found')
    .option('--no-candles', 'leave out the tables of the candles: their changes are found by polling')
    .option('--candles', 'what happens anyway; earlier versions had to be told')
}
