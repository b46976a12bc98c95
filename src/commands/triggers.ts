import pg from 'pg'
import { serverName } from '../config/redact.js'
import type { Config } from '../config/schema.js'
import { ConfigError } from '../errors.js'
import { clientConfig } from '../postgres/database.js'
import type { Query } from '../postgres/trigger-catalog.js'
import { dropTriggers, installTriggers } from '../postgres/trigger-changes.js'
import { installSql } from '../postgres/triggers.js'
import { postgresTrouble } from '../postgres/trouble.js'

export interface TriggersOptions {
  /** Install them. */
  apply?: boolean
  /** Remove them, those of the candles too. */
  drop?: boolean
  /** Watch the tables of the candles as well. */
  candles?: boolean
  /** One JSON object instead of text. */
  json?: boolean
}

/**
 * `rekindle triggers`: without options it prints the SQL that installs them, without connecting. Gives the exit status, 0.
 * `out` takes whole lines, without the last line feed. Rejects with a ConfigError or a Trouble.
 */
export async function triggers(config: Config, options: TriggersOptions, out: (text: string) => void): Promise<number> {
  const { apply = false, drop = false, candles = false, json = false } = options
  if (apply && drop)
    throw new ConfigError('--apply and --drop: one installs, the other removes; it should be one of them')
  if (candles && !config.candles)
    throw new ConfigError('--candles: candles is false in the configuration; it should be on')
  const server = serverName(config.postgres.url)
  const report = (answer: object, lines: readonly string[]) => out(json ? JSON.stringify(answer) : lines.join('\n'))
  if (apply) {
    const { tables, left } = await connected(config, (query) => installTriggers(config, { candles }, query, server))
    const { channel } = config.sync
    report({ channel, installed: tables.map(({ dataset, table }) => ({ dataset, table })), left }, [
      ...tables.map(({ dataset, table }) => `${dataset}: changes of ${table} are announced on channel ${channel}`),
      ...Object.entries(left).map(([key, why]) => `${key}: ${why}`),
    ])
  } else if (drop) {
    const dropped = await connected(config, (query) => dropTriggers(config, query, server))
    const lines = dropped.map((name) => `removed ${name} and its triggers`)
    report({ dropped }, lines.length > 0 ? lines : ['there was nothing to remove'])
  } else {
    const sql = installSql(config, { candles })
    report({ sql }, [sql])
  }
  return 0
}

async function connected<Result>(config: Config, act: (query: Query) => Promise<Result>): Promise<Result> {
  const client = new pg.Client(clientConfig(config.postgres.url))
  // A connection that dies rejects the query under way; without a listener it would end the process as well.
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await act(async <Row>(sql: string, values: readonly unknown[]) => {
      return (await client.query(sql, [...values])).rows as Row[]
    })
  } catch (error) {
    throw postgresTrouble(error, serverName(config.postgres.url))
  } finally {
    await client.end().catch(() => undefined)
  }
}
