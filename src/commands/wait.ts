import { steadyTime } from '../clock.js'
import { serverName } from '../config/redact.js'
import type { Config } from '../config/schema.js'
import { Trouble } from '../errors.js'
import { connectWire } from '../redis/connect.js'
import { readFacts } from '../redis/life.js'
import { EPOCH, READY, readEpoch } from '../redis/marks.js'
import { redisTrouble } from '../redis/trouble.js'
import { ask, type Wire } from '../redis/wire.js'
import type { Answer } from './answer.js'
import { insistOnRedis } from './insist.js'
import { Patience, sayDuration } from './patience.js'

export interface WaitOptions {
  /** The symbols to wait for; everything if empty. */
  readonly symbols: readonly string[]
  /** In ms. */
  readonly timeout: number
}

/** How often Redis is asked, in ms. */
const PERIOD = 50
/** How many names a message spells out. */
const NAMES = 10

/** Waits until symbols are ready. Asks Redis alone. Rejects with a Trouble if Redis refuses us or cannot be asked until the end. */
export async function wait(config: Config, { symbols, timeout }: WaitOptions): Promise<Answer> {
  const startedAt = steadyTime()
  const names = [...new Set(symbols)]
  const server = serverName(config.redis.url)
  const patience = new Patience(timeout)
  const asker = new Asker(config.redis.url, server)
  /** What Redis said last; undefined while it cannot be asked. */
  let missing: readonly string[] | undefined
  try {
    for (;;) {
      missing = await insistOnRedis(patience, config.redis.url, () =>
        asker.missing(names).catch((trouble: unknown) => {
          missing = undefined
          throw trouble
        }),
      )
      const waited = steadyTime() - startedAt
      if (missing.length === 0) return { lines: [], data: { waited_ms: waited }, troubles: [] }
      await patience.rest(PERIOD)
    }
  } catch (error) {
    if (!patience.signal.aborted || missing === undefined) throw error
    return {
      lines: [],
      data: names.length > 0 ? { not_ready: missing } : {},
      troubles: [notReady(missing, server, timeout)],
    }
  } finally {
    patience.close()
    asker.close()
  }
}

/** Asks for marks over one connection, and over a new one after that has failed. */
class Asker {
  private connection: Wire | undefined
  /** What the marks of this process begin with; nothing where INFO is forbidden, or a replica holds those of its primary. */
  private beginning = ''

  constructor(
    private readonly url: string,
    private readonly server: string,
  ) {}

  /** The symbols that are not ready; without any, the epoch if it is not there. Rejects with a Trouble. */
  async missing(symbols: readonly string[]): Promise<string[]> {
    try {
      const connection = this.connection ?? (await this.connect())
      if (symbols.length === 0) return this.counts(await readEpoch(connection)) ? [] : [EPOCH]
      const marks = (await ask(connection, 'HMGET', READY, ...symbols)) as (string | null)[]
      return symbols.filter((_, i) => !this.counts(marks[i]))
    } catch (error) {
      this.close()
      throw redisTrouble(error, this.server)
    }
  }

  private async connect(): Promise<Wire> {
    this.connection = await connectWire(this.url, 'rekindle-wait')
    const { runId, role } = await readFacts(this.connection)
    this.beginning = runId === undefined || role === 'replica' ? '' : `${runId}:`
    return this.connection
  }

  /**
   * True for a mark that this process was given; one that came with its old data has not been checked. Whoever marks without the right
   * to ask INFO calls the process unknown.
   */
  private counts(mark: string | null | undefined): boolean {
    return typeof mark === 'string' && (mark.startsWith(this.beginning) || mark.startsWith('unknown:'))
  }

  close(): void {
    this.connection?.close()
    this.connection = undefined
  }
}

function notReady(missing: readonly string[], server: string, timeout: number): Trouble {
  const names = missing.slice(0, NAMES).join(', ')
  const more = missing.length > NAMES ? ` and ${missing.length - NAMES} more` : ''
  const what = missing[0] === EPOCH ? `not everything is ready (no ${EPOCH})` : `not ready: ${names}${more}`
  return new Trouble(
    'timeout',
    `Redis ${server}: ${what}, after waiting ${sayDuration(timeout)}`,
    'is rekindle watch running there? rekindle restore makes it ready as well',
    true,
  )
}
