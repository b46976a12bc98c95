import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runSql } from '../../lab/databases.js'
import { createMarket } from '../../lab/market.js'
import { freePort } from '../../lab/port.js'
import type { RunningPostgres } from '../../lab/postgres.js'
import { ownFolder, removeFolder } from '../../lab/processes.js'
import { type RunningRedis, startRedis } from '../../lab/redis.js'
import { openDatabase } from '../../src/postgres/database.js'
import { connectWire } from '../../src/redis/connect.js'
import { redisTrouble } from '../../src/redis/trouble.js'
import { rekindle, startRekindle, writeConfig } from '../commands/rekindle.js'
import { anyLayout, LAST, SMALL } from '../support/daemon.js'
import { until } from '../support/servers.js'
import { type Certificate, hasOpenssl, issue, makeCa, renew } from './certificates.js'
import { ROLE, startTlsPostgres } from './tls-postgres.js'

const HERE = 'DNS:localhost,IP:127.0.0.1'

describe.skipIf(!hasOpenssl)('TLS with client certificates to both servers', () => {
  const folder = hasOpenssl ? ownFolder('tls') : ''
  let files: Record<'ca' | 'otherCa' | 'server' | 'expired' | 'elsewhere' | 'client' | 'stranger' | 'old', Certificate>
  let port = 0
  let redis: RunningRedis
  let postgres: RunningPostgres

  beforeAll(async () => {
    const ca = makeCa(folder, 'ca')
    const otherCa = makeCa(folder, 'other-ca')
    files = {
      ca,
      otherCa,
      server: issue(folder, 'server', ca, { names: HERE }),
      expired: issue(folder, 'expired', ca, { names: HERE, days: -1 }),
      elsewhere: issue(folder, 'elsewhere', ca, { names: 'DNS:redis.example.com' }),
      client: issue(folder, 'client', ca),
      stranger: issue(folder, 'stranger', otherCa),
      old: issue(folder, 'old', ca, { days: -1 }),
    }
    writeFileSync(join(folder, 'no-certificate.pem'), 'This is no certificate.\n')
    port = await freePort()
    redis = await startRedis({ args: ['--tls-port', String(port), ...tlsOf(files.server)] })
    postgres = await startTlsPostgres(files)
  })

  afterAll(async () => {
    await redis?.stop()
    await postgres?.stop()
    if (folder) removeFolder(folder)
  })

  function tlsOf({ cert, key }: Certificate): string[] {
    return ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', files.ca.cert]
  }

  /** What Redis and PostgreSQL show from now on. */
  async function present({ cert, key }: Certificate): Promise<void> {
    await redis.cli('CONFIG', 'SET', 'tls-cert-file', cert, 'tls-key-file', key)
    renew({ cert: join(folder, 'postgres.pem'), key: join(folder, 'postgres.key') }, { cert, key })
    await runSql(postgres.url, 'SELECT pg_reload_conf()')
  }

  interface Named {
    ca?: string | undefined
    cert?: string | undefined
    key?: string | undefined
    host?: string
  }

  function ours(): Named {
    return { ca: files.ca.cert, cert: files.client.cert, key: files.client.key }
  }

  function urlOf(base: string, names: readonly string[], { ca, cert, key }: Named): string {
    const url = new URL(base)
    for (const [i, value] of [ca, cert, key].entries()) if (value) url.searchParams.set(names[i] ?? '', value)
    return url.href
  }

  const redisUrl = (named: Named): string =>
    urlOf(`rediss://${named.host ?? '127.0.0.1'}:${port}/0`, ['tlsca', 'tlscert', 'tlskey'], named)

  const postgresUrl = (named: Named): string => {
    const base = `postgres://${ROLE}:secret@${named.host ?? '127.0.0.1'}:${postgres.port}/postgres?sslmode=verify-full`
    return urlOf(base, ['sslrootcert', 'sslcert', 'sslkey'], named)
  }

  async function askRedis(named: Named): Promise<unknown> {
    const wire = await connectWire(redisUrl(named), 'rekindle').catch((error) =>
      Promise.reject(redisTrouble(error, 'redis')),
    )
    wire.close()
    return 'well'
  }

  async function askPostgres(named: Named): Promise<unknown> {
    const db = openDatabase(postgresUrl(named), 'postgres')
    try {
      await db.query('SELECT 1', [])
      return 'well'
    } finally {
      await db.close()
    }
  }

  const troubles: readonly [what: string, server: () => Certificate, named: () => Named, redis: RegExp, pg: RegExp][] =
    [
      [
        'an expired certificate of the server',
        () => files.expired,
        ours,
        /^renew the certificate of the server$/,
        /^renew the certificate of the server$/,
      ],
      [
        'a certificate for another host',
        () => files.elsewhere,
        ours,
        /^use a name in redis\.url that/,
        /^use a name in postgres\.url that/,
      ],
      [
        'an unknown CA',
        () => files.server,
        () => ({ ...ours(), ca: files.otherCa.cert }),
        /^name the file of the CA .* in redis\.tls\.ca$/,
        /^name the file of the CA .* in sslrootcert$/,
      ],
      [
        'no CA at all',
        () => files.server,
        () => ({ ...ours(), ca: undefined }),
        /^name the file of the CA .* in redis\.tls\.ca$/,
        /^name the file of the CA .* in sslrootcert$/,
      ],
      [
        'no certificate of ours',
        () => files.server,
        () => ({ ca: files.ca.cert }),
        /want.* a client certificate.* redis\.tls\.cert|want a client certificate \(redis\.tls\.cert/,
        /wants a client certificate: .* sslcert/,
      ],
      [
        'a certificate of ours that a stranger has signed',
        () => files.server,
        () => ({ ...ours(), cert: files.stranger.cert, key: files.stranger.key }),
        /accept our client certificate.*redis\.tls\.cert/,
        /does not accept our client certificate: .* sslcert/,
      ],
      [
        'a certificate of ours that has expired',
        () => files.server,
        () => ({ ...ours(), cert: files.old.cert, key: files.old.key }),
        /our client certificate \(redis\.tls\.cert\)/,
        /finds our client certificate \(sslcert\) expired/,
      ],
      [
        'a key file that is not there',
        () => files.server,
        () => ({ ...ours(), key: join(folder, 'nowhere.key') }),
        /^redis\.tls\.key should name a file that this user may read$/,
        /should name files that this user may read$/,
      ],
      [
        'a folder in place of a file',
        () => files.server,
        () => ({ ...ours(), cert: folder }),
        /^redis\.tls\.cert should name a file that this user may read$/,
        /should name files that this user may read$/,
      ],
      [
        'the key of another certificate',
        () => files.server,
        () => ({ ...ours(), key: files.stranger.key }),
        /^redis\.tls\.key should be the key of/,
        /^sslkey should be the key of/,
      ],
      [
        'a file that holds no certificate',
        () => files.server,
        () => ({ ...ours(), cert: join(folder, 'no-certificate.pem') }),
        /should name files in PEM/,
        /should name files in PEM/,
      ],
    ]

  it.each(troubles)('says how to mend %s', async (_, server, named, redisHint, postgresHint) => {
    await present(server())
    const message = expect.stringMatching(/^[^\n]+$/)
    // A Redis that does not like our certificate may hang up before we have read why.
    await expect(askRedis(named())).rejects.toMatchObject({ message, hint: expect.stringMatching(redisHint) })
    await expect(askPostgres(named())).rejects.toMatchObject({
      message,
      code: 'postgres_refused',
      passing: false,
      hint: expect.stringMatching(postgresHint),
    })
  })

  it('reads renewed files at the next connection', async () => {
    await present(files.server)
    const mine = issue(folder, 'mine', files.ca, { days: -1 })
    const named = { ca: files.ca.cert, ...mine }
    await expect(askRedis(named)).rejects.toThrow()
    const db = openDatabase(postgresUrl(named), 'postgres')
    await expect(db.query('SELECT 1', [])).rejects.toThrow()
    renew(mine, files.client)
    await expect(askRedis(named)).resolves.toBe('well')
    await expect(db.query('SELECT 1', [])).resolves.toHaveLength(1)
    await db.close()
  })

  it('guards, restores, waits and verifies over TLS', async () => {
    await present(files.server)
    await createMarket(postgres.url, SMALL)
    await runSql(postgres.url, `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${ROLE}`)
    const { ca, cert, key } = ours()
    const config = writeConfig({
      redis: { tls: { ca, cert, key } },
      candles: { layout: anyLayout(), last: LAST },
      http: { listen: false },
    })
    const env = {
      REKINDLE_CONFIG: config,
      REDIS_URL: `REDISS://localhost:${port}/0`,
      DATABASE_URL: postgresUrl({ ...ours(), host: 'localhost' }),
    }
    const running = startRekindle(['watch'], env)
    expect(await rekindle(['wait'], env)).toMatchObject({ status: 0, stderr: '' })
    expect(await rekindle(['verify'], env)).toMatchObject({ status: 0, stderr: '' })
    await redis.cli('FLUSHALL')
    await until(() => running.stdout.includes('"event":"healed"'))
    expect(await rekindle(['verify'], env)).toMatchObject({ status: 0, stderr: '' })
    running.kill('SIGTERM')
    expect(await running.ended).toMatchObject({ status: 0, stderr: '' })
    expect(running.stdout).not.toContain('"event":"degraded","what":"sync"')
  })

  it('goes on, and says why, while the key file of PostgreSQL cannot be read', async () => {
    const { key, ...rest } = ours()
    const named = { ...rest, key: join(folder, 'nowhere.key') }
    const env = { REDIS_URL: redis.url, DATABASE_URL: postgresUrl(named) }
    const running = startRekindle(['watch', '--config', writeConfig({ http: { listen: false } }, 'unread.yaml')], env)
    await until(() => running.stdout.includes('"event":"postgres_down"'))
    running.kill('SIGTERM')
    expect(await running.ended).toMatchObject({ status: 0, stderr: '' })
    expect(running.stdout).toContain('nowhere.key cannot be read (ENOENT)')
  })
})
