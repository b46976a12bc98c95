import { describe } from 'vitest'
import { findPgBouncer } from '../../lab/pgbouncer.js'
import { describeOwnServers } from './processes.js'

const isThere = findPgBouncer() !== undefined
if (!isThere) console.log('pgbouncer was not found: the tests of poolers are SKIPPED.')

/** A suite that starts a PgBouncer, skipped where there is none. */
export function describePgBouncer(name: string, suite: () => void): void {
  if (isThere) describeOwnServers(name, suite)
  else describe.skip(`${name} (SKIPPED: pgbouncer is not installed)`, suite)
}
