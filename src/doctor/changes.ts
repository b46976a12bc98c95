import { serverName } from '../config/redact.js'
import { type Config, hasDatasets } from '../config/schema.js'
import type { ChangeSource } from '../decide/change-sources.js'
import { openDatabase } from '../postgres/database.js'
import { readExpectedSources } from '../postgres/trigger-catalog.js'
import { postgresTrouble } from '../postgres/trouble.js'
import type { Unchecked } from './facts.js'

export interface ChangesRead {
  /** How the changes of each table are found by a daemon that can listen; undefined where PostgreSQL could not be asked. */
  readonly sources: readonly ChangeSource[] | undefined
  readonly unchecked: readonly Unchecked[]
}

/** Asks PostgreSQL's catalog how changes are found, if anything comes from PostgreSQL. Never rejects. */
export async function readChanges(config: Config): Promise<ChangesRead> {
  if (!hasDatasets(config)) return { sources: [], unchecked: [] }
  const server = serverName(config.postgres.url)
  let close = async (): Promise<void> => {}
  try {
    const db = openDatabase(config.postgres.url, server, { rowSecurity: config.postgres.row_security })
    close = () => db.close()
    const { sources } = await readExpectedSources(config, (sql, values) => db.query(sql, values))
    return { sources, unchecked: [] }
  } catch (error) {
    const why = postgresTrouble(error, server).message
    return { sources: undefined, unchecked: [{ what: 'how changes in PostgreSQL are found', why, grant: '' }] }
  } finally {
    // What was to be read is read, or the reason why not is known.
    await close().catch(() => undefined)
  }
}
