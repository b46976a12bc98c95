import { describe, expect, it } from 'vitest'
import { freePort } from '../../lab/port.js'
import { describeOwnServers } from '../support/processes.js'
import { useDatabase, useRedis } from '../support/servers.js'
import { rekindle, startRekindle, writeConfig, writeText } from './rekindle.js'

/** With signs that URLs, JSON and shells write in other ways. */
const SECRET = 's3cr/et"wörd é'
const SHAPES = [SECRET, encodeURIComponent(SECRET), encodeURI(SECRET), JSON.stringify(SECRET).slice(1, -1), 's3cr']
const written = encodeURIComponent(SECRET)

const COMMANDS = [
  ['restore', '--timeout', '300ms'],
  ['verify', '--timeout', '300ms'],
  ['wait', '--timeout', '300ms'],
  ['triggers', '--apply'],

  ['triggers'],
  ['doctor', '--timeout', '300ms'],
  ['backup', 'now', '--timeout', '300ms'],
  ['backup', 'list'],
  ['recover', '--dry-run'],
  ['undo', '--dry-run', '--timeout', '300ms'],
]

/** Addresses that nobody answers at, or that are none, with the secret wherever one can be. */
const ADDRESSES: Record<string, (port: number) => Record<string, string>> = {
  'of servers that are away': (port) => ({
    REDIS_URL: `redis://user:${written}@127.0.0.1:${port}/0`,
    DATABASE_URL: `postgres://acme:${written}@127.0.0.1:${port}/acme`,
    ALERTS_WEBHOOK_URL: `http://127.0.0.1:${port}/${written}`,
    ALERTS_WEBHOOK_SECRET: SECRET,
  }),
  'of sockets': (port) => ({
    REDIS_URL: `redis://127.0.0.1:${port}/0?password=${written}`,
    DATABASE_URL: `postgres://acme:${written}@/acme?host=/nowhere&port=${port}`,
  }),
  'with the password as a parameter': (port) => ({
    REDIS_URL: `redis://127.0.0.1:${port}?username=u&password=${written}`,
    DATABASE_URL: `postgres://127.0.0.1:${port}/acme?user=u&password=${written}`,
  }),
  'that are not escaped': () => ({
    REDIS_URL: `redis://user:${SECRET}@127.0.0.1/0`,
    DATABASE_URL: `postgres://acme:${SECRET}@/acme`,
  }),
  'that have no host': () => ({
    REDIS_URL: `redis://:${written}`,
    DATABASE_URL: `postgres://acme:${written}`,
  }),
  'that have no scheme': () => ({
    REDIS_URL: `user:${SECRET}@127.0.0.1:6379`,
    DATABASE_URL: `host=127.0.0.1 user=acme password='${SECRET}'`,
  }),
}

describe('no command shows a password', () => {
  it.each(COMMANDS.map((command) => [command.join(' '), command] as const))(
    '%s',
    { timeout: 60_000 },
    async (_, command) => {
      const env = ADDRESSES['of servers that are away']?.(await freePort()) ?? {}
      const { stdout, stderr } = await rekindle(command, env)
      expectNoSecret(stdout + stderr)
      expect(stderr.trim().split('\n').length).toBeLessThan(12)
    },
  )

  it.each(Object.entries(ADDRESSES))('of addresses %s', { timeout: 60_000 }, async (_, addresses) => {
    const env = addresses(await freePort())
    const [plain, json] = await Promise.all([
      rekindle(['verify', '--timeout', '300ms'], env),
      rekindle(['restore', '--timeout', '300ms', '--json'], env),
    ])
    expectNoSecret(plain.stdout + plain.stderr + json.stdout + json.stderr)
    const running = startRekindle(['watch', '--config', writeConfig({ http: { listen: false } })], env)
    const timer = setTimeout(() => running.kill('SIGTERM'), 1_500)
    const { stdout, stderr } = await running.ended
    clearTimeout(timer)
    expectNoSecret(stdout + stderr)
    expect(stderr).not.toMatch(/^\s+at /m)
  })
})

describe('secrets in the configuration', () => {
  it.each([
    {
      redis: { url: `redis://user:${written}@127.0.0.1:1/0` },
      postgres: { url: `postgres://acme:${written}@/acme?host=/nowhere` },
    },
    { redis: { url: `redis://user:${SECRET}@127.0.0.1:1/0` } },
    { postgres: { url: SECRET } },
    { alerts: { webhook: { url: `ftp://${written}@host/`, secret: SECRET } } },
  ])('%j', async (config) => {
    const file = writeConfig(config, 'secrets.yaml')
    for (const command of COMMANDS.slice(0, 1)) {
      const ran = await rekindle([...command, '--config', file])
      expectNoSecret(ran.stdout + ran.stderr)
    }
  })
})

it.each([
  [{ ALERTS_WEBHOOK_SECRET_FILE: 's3cr3t9' }],
  [{ REDIS_URL_FILE: 's3cr3t9' }],
  [{ HTTP_LISTEN: 'user:s3cr3t9@host' }],
])('a secret in the place of something else: %j', async (env) => {
  const { status, stdout, stderr } = await rekindle(['verify'], env)
  expect(status).toBe(2)
  expect(stdout + stderr).not.toContain('s3cr3t9')
})

describe('secrets in a file that is no configuration', () => {
  it.each([
    ['an alias', 'redis:\n  url: *s3cr3t9'],
    ['a tag', 'redis:\n  url: !s3cr3t9 x'],
    ['a quote that does not end', "redis:\n  url: 's3cr3t9"],
    ['a mapping in a line', 'redis: url: s3cr3t9'],
    ['an indentation by tabs', 'redis:\n\turl: s3cr3t9'],
    ['a directive', '%s3cr3t9\n---\n'],
    ['an escape', 'redis:\n  url: "s3cr3t9\\q"'],
    ['an anchor twice', 'redis: &s3cr3t9 &s3cr3t9 x'],
    ['a flow that does not end', 'redis: {url: s3cr3t9'],
    ['text alone', 's3cr3t9'],
    ['a list', '- s3cr3t9'],
    ['a number as an address', 'redis:\n  url: 8735439'],
    ['a number as a secret', 'alerts:\n  webhook:\n    url: http://a/\n    secret: 8735439'],
    ['a number as a webhook', 'alerts:\n  webhook:\n    url: 8735439'],
    ['a truth as a secret', 'alerts:\n  webhook:\n    url: http://a/8735439\n    secret: true'],
    ['a merge', 'redis:\n  <<: *s3cr3t9'],
  ])('%s', async (_, text) => {
    const { status, stdout, stderr } = await rekindle(['verify', '--config', writeText(text, 'broken.yaml')])
    expect(status).toBe(2)
    expect(stdout + stderr).not.toMatch(/s3cr3t9|8735439/)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})

describeOwnServers('secrets of servers that are there', () => {
  const redis = useRedis({ password: SECRET })
  const database = useDatabase()

  it('and that refuse them', async () => {
    const address = new URL(database.url)
    const env = {
      REDIS_URL: `redis://nobody:${written}@127.0.0.1:${redis.port}/0`,
      DATABASE_URL: `postgres://nobody:${written}@${address.host}${address.pathname}`,
    }
    for (const command of COMMANDS.slice(0, 3)) {
      const ran = await rekindle(command, env)
      expect(ran.status).not.toBe(0)
      expectNoSecret(ran.stdout + ran.stderr)
    }
  }, 60_000)

  it('Redis wants none, and gets one: its library’s warning passes the same place', async () => {
    const env = { REDIS_URL: redis.url, DATABASE_URL: database.url }
    const { stdout, stderr } = await rekindle(['doctor', '--timeout', '300ms'], env)
    expectNoSecret(stdout + stderr)
  })
})

function expectNoSecret(text: string): void {
  for (const shape of SHAPES) expect(text).not.toContain(shape)
}
