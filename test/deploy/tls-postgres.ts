import { chmodSync, chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runSql } from '../../lab/databases.js'
import { type RunningPostgres, startPostgres } from '../../lab/postgres.js'
import { serverUser } from '../../lab/postgres-programs.js'
import { type Certificate, renew } from './certificates.js'

/** Comes in with the password `secret` and a certificate. */
export const ROLE = 'rekindle_tls'

/** A PostgreSQL that lets `ROLE` in with a client certificate and its password only. */
export async function startTlsPostgres(files: Record<'ca' | 'server', Certificate>): Promise<RunningPostgres> {
  const folder = join(files.ca.cert, '..')
  const own = { cert: join(folder, 'postgres.pem'), key: join(folder, 'postgres.key') }
  renew(own, files.server)
  const hba = join(folder, 'pg_hba.conf')
  writeFileSync(
    hba,
    [
      'host all postgres 127.0.0.1/32 scram-sha-256',
      `hostssl all ${ROLE} 127.0.0.1/32 scram-sha-256 clientcert=verify-ca`,
      '',
    ].join('\n'),
  )
  const user = serverUser()
  chmodSync(folder, 0o755)
  chmodSync(own.key, 0o600)
  if (user) for (const file of [own.key, own.cert, hba]) chownSync(file, user.uid, user.gid)
  const postgres = await startPostgres({
    settings: { ssl: 'on', ssl_cert_file: own.cert, ssl_key_file: own.key, ssl_ca_file: files.ca.cert, hba_file: hba },
  })
  await runSql(postgres.url, `CREATE ROLE ${ROLE} LOGIN PASSWORD 'secret'`)
  return postgres
}
