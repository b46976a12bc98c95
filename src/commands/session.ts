import { serverName } from '../config/redact.js'
import type { Config } from '../config/schema.js'
import type { Dataset } from '../datasets/dataset.js'
import { datasetsOf } from '../datasets/index.js'
import { liveValuesOf } from '../datasets/live.js'
import { Trouble } from '../errors.js'
import type { LiveWriters } from '../heal/heal.js'
import { type Database, openDatabase } from '../postgres/database.js'
import { type Life, openLife } from '../redis/life.js'
import { endsLife, redisTrouble } from '../redis/trouble.js'
import { insistOnRedis } from './insist.js'
import { Patience } from './patience.js'
import { Progress } from './progress.js'

/** What a command that runs once and ends works with. */
export interface Session {
  readonly config: Config
  readonly datasets: readonly Dataset[]
  readonly db: Database
  /** Who writes what is not told to a command; it finds out by looking again. */
  readonly live: LiveWriters
  /** `host:port/db` of Redis. */
  readonly server: string
  readonly patience: Patience
  readonly progress: Progress
}

/** After so many connections that broke, waiting for the next one leads nowhere. */
const LIVES = 10

/** Runs work that may wait up to `timeout` ms for servers that are away, and that SIGINT and SIGTERM end with a Trouble. */
export async function withSession<T>(
  config: Config,
  timeout: number,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const progress = new Progress()
  const patience = new Patience(timeout, ({ message }) => progress.say(`Waiting: ${message}`))
  const forget = endOnSignals(patience)
  const db = openDatabase(config.postgres.url, serverName(config.postgres.url), {
    rowSecurity: config.postgres.row_security,
  })
  try {
    const server = serverName(config.redis.url)
    const datasets = datasetsOf(config)
    const live = { values: liveValuesOf(datasets, config.sync.settle), caughtUp: async () => undefined }
    return await work({ config, datasets, db, live, server, patience, progress })
  } finally {
    forget()
    patience.close()
    progress.clear()
    // It waits for queries that run; the process does not wait for it.
    db.close().catch(() => undefined)
  }
}

/** The first signal ends the work, so that it can say what was done; the second ends the process. */
function endOnSignals(patience: Patience): () => void {
  const onSignal = (signal: NodeJS.Signals): void => {
    if (patience.signal.aborted) process.exit(1)
    patience.end(new Trouble('aborted', `stopped by ${signal}`, 'run it again to go on with the rest', true))
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
}

/**
 * Runs work over one life of Redis, and from its beginning over the next if that one ends or trouble came that passes. The work must
 * end soon after its signal aborts. Rejects with what does not pass by itself, and when patience ends.
 */
export async function overLives<T>(
  { config, live, server, patience }: Session,
  work: (life: Life, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const onWaiting = (trouble: Trouble): void => patience.blame(trouble)
  let broken = 0
  let isNews = true
  for (;;) {
    const over = new AbortController()
    // A signal of its own for each attempt: openLife never takes back its listener.
    const anySignal = (): AbortSignal => AbortSignal.any([patience.signal, over.signal])
    try {
      const { life, ended } = await insistOnRedis(patience, config.redis.url, () =>
        openLife({ url: config.redis.url, server, onWaiting, signal: anySignal() }),
      )
      ended.catch((trouble: unknown) => over.abort(trouble))
      if (isNews) patience.progressed()
      live.values.begin(life.facts.runId)
      return await work(life, anySignal())
    } catch (error) {
      patience.signal.throwIfAborted()
      const trouble = troubleOf(over.signal.aborted ? over.signal.reason : error, server)
      isNews = endsLife(trouble)
      if (isNews) broken++
      if (!trouble.passing) throw trouble
      if (broken >= LIVES) throw brokenTooOften(trouble)
      patience.blame(trouble)
    } finally {
      over.abort()
    }
    await patience.pause()
  }
}

/** Says what an error means; one that only a bug can raise is thrown as it is, with its stack. */
export function troubleOf(error: unknown, server: string): Trouble {
  if (error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError) throw error
  return redisTrouble(error, server)
}

function brokenTooOften({ message }: Trouble): Trouble {
  return new Trouble(
    'redis_unreachable',
    `${message}, for the ${LIVES}th time`,
    'something ends Redis or its connections again and again: look at its log and its memory limit',
    true,
  )
}
