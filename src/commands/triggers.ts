import pg from 'pg'
import { serverName } from '../config/redact.js'
import type { Config } from '../config/schema.js'
import { saySource } from '../decide/change-sources.js'
import { ConfigError } from '../errors.js'
import { clientConfig } from '../postgres/database.js'
import { type Query, readExpectedSources } from '../postgres/trigger-catalog.js'
import { dropTriggers, installTriggers } from '../postgres/trigger-changes.js'
import { installSql } from '../postgres/triggers.js'
import { postgresTrouble } from '../postgres/trouble.js'

export interface TriggersOptions {
  /** Install them. */
  apply?: boolean
  /** Remove them, those of the candles too. */
  drop?: boolean
  /** Say how the changes of each table are found. */
  status?: boolean
  /** False to leave out the tables of the candles. */
  candles?: boolean
  /** One JSON object instead of text. */
  json?: boolean
}

/** What the triggers cost whoever uses two-phase commit. */
const NO_PREPARE =
  'PREPARE TRANSACTION fails after a write to one of these tables: PostgreSQL refuses it after a NOTIFY'

/**
 * `rekindle triggers`: without options it prints the SQL that installs them, without connecting. Gives the exit status: 1 if `status`
 * finds tables that `apply` would have announced. `out` takes whole lines, without the last line feed. Rejects with a ConfigError or a
 * Trouble.
 */
export async function triggers(config: Config, options: TriggersOptions, out: (text: string) => void): Promise<number> {
  const { apply = false, drop = false, status = false, candles = true, json = false } = options
  const acts = Object.entries({ apply, drop, status }).flatMap(([name, isAsked]) => (isAsked ? [`--${name}`] : []))
  if (acts.length > 1)
    throw new ConfigError(`${acts.join(' and ')}: each does something else; it should be one of them`)
  const report = (answer: object, lines: readonly string[]) => out(json ? JSON.stringify(answer) : lines.join('\n'))
  if (apply) await install(config, candles, report)
  else if (drop) await remove(config, report)
  else if (status) return await tell(config, report)
  else {
    const sql = installSql(config, { candles })
    report({ sql }, [sql])
  }
  return 0
}

type Report = (answer: object, lines: readonly string[]) => void

async function install(config: Config, candles: boolean, report: Report): Promise<void> {
  const { channel } = config.sync
  const { tables, left, sources } = await connected(config, (query, server) =>
    installTriggers(config, { candles }, query, server),
  )
  // What the catalog still tells of tables that have been given their triggers: filled by a subscription, or another's.
  const installed = new Set(tables.map(({ key }) => key))
  const unheard = sources.filter(({ key, found_by }) => installed.has(key) && found_by !== 'triggers')
  report(
    {
      channel,
      installed: tables.map(({ dataset, table }) => ({ dataset, table })),
      left,
      sources,
      notes: [NO_PREPARE],
    },
    [
      ...tables.map(({ dataset, table }) => `${dataset}: changes of ${table} are announced on channel ${channel}`),
      ...Object.entries(left).map(([key, why]) => `${key}: ${why}`),
      ...unheard.filter(({ key }) => !(key in left)).map((source) => `${source.key}: ${saySource(source)}`),
      NO_PREPARE,
    ],
  )
}

async function remove(config: Config, report: Report): Promise<void> {
  const dropped = await connected(config, (query, server) => dropTriggers(config, query, server))
  const lines = dropped.map((name) => `removed ${name} and its triggers`)
  report({ dropped }, lines.length > 0 ? lines : ['there was nothing to remove'])
}

async function tell(config: Config, report: Report): Promise<number> {
  const { sources, lacksTriggers } = await connected(config, (query) => readExpectedSources(config, query))
  report(
    { channel: config.sync.channel, sources },
    sources.map((source) => `${source.dataset}: ${saySource(source)}`),
  )
  return lacksTriggers ? 1 : 0
}

async function connected<Result>(
  config: Config,
  act: (query: Query, server: string) => Promise<Result>,
): Promise<Result> {
  const server = serverName(config.postgres.url)
  const client = new pg.Client(clientConfig(config.postgres.url))
  // A connection that dies rejects the query under way; without a listener it would end the process as well.
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await act(async <Row>(sql: string, values: readonly unknown[]) => {
      return (await client.query(sql, [...values])).rows as Row[]
    }, server)
  } catch (error) {
    throw postgresTrouble(error, server)
  } finally {
    // All is done by then, or has failed in a way that is told.
    await client.end().catch(() => undefined)
  }
}
