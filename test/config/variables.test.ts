import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import { ConfigError } from '../../src/errors.js'

const dir = mkdtempSync(join(tmpdir(), 'rekindle-variables-'))
afterAll(() => rmSync(dir, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(dir, name)
  writeFileSync(path, text)
  return path
}

function mistake(env: Record<string, string>): string {
  try {
    loadConfig({ env, cwd: dir })
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as Error).message
  }
  throw new Error('no mistake was found')
}

describe('a variable', () => {
  it('may name a file that holds the secret, with or without a newline at its end', () => {
    const config = loadConfig({
      cwd: dir,
      env: {
        REDIS_URL_FILE: file('redis', 'redis://:hush@redis:6379/1\n'),
        DATABASE_URL_FILE: file('postgres', 'postgres://me:hush@db/market'),
        DATABASE_LISTEN_URL_FILE: file('listen', 'postgres://me:hush@direct/market\n'),
        ALERTS_WEBHOOK_URL_FILE: file('url', 'https://hooks.example.com/T0/B0/x\r\n'),
        ALERTS_WEBHOOK_SECRET_FILE: file('secret', ' two\nlines \n\n'),
      },
    })
    expect(config.redis.url).toBe('redis://:hush@redis:6379/1')
    expect(config.postgres.url).toBe('postgres://me:hush@db/market')
    expect(config.postgres.listen_url).toBe('postgres://me:hush@direct/market')
    expect(config.alerts.webhook).toMatchObject({ url: 'https://hooks.example.com/T0/B0/x', secret: ' two\nlines \n' })
  })

  it('names a file beside the working directory', () => {
    file('beside', 'redis://beside:6379/0')
    expect(loadConfig({ cwd: dir, env: { REDIS_URL_FILE: 'beside' } }).redis.url).toBe('redis://beside:6379/0')
  })

  it('wins over the file by itself, too', () => {
    const { http, alerts, log } = loadConfig({
      cwd: dir,
      env: {
        HTTP_LISTEN: '0.0.0.0:80',
        ALERTS_WEBHOOK_URL: 'http://a/b',
        ALERTS_WEBHOOK_SECRET: 's',
        LOG_LEVEL: 'warn',
      },
    })
    expect({ http, alerts, log }).toMatchObject({
      http: { listen: '0.0.0.0:80' },
      alerts: { webhook: { url: 'http://a/b', secret: 's' } },
      log: { level: 'warn' },
    })
    expect(loadConfig({ cwd: dir, env: { HTTP_LISTEN: 'false' } }).http.listen).toBe(false)
  })

  it('leaves the rest of its section alone', () => {
    const config = file('own.yaml', '{"alerts":{"webhook":{"timeout":"9s"}}}')
    const { alerts } = loadConfig({ file: config, env: { ALERTS_WEBHOOK_URL: 'http://a/b' } })
    expect(alerts.webhook).toEqual({ timeout: 9_000, url: 'http://a/b' })
  })

  it('counts as unset where it is empty', () => {
    expect(loadConfig({ cwd: dir, env: { REDIS_URL: '', REDIS_URL_FILE: '' } }).redis.url).toMatch('127.0.0.1')
  })

  it('is refused in one line where it and its file are both set', () => {
    const message = mistake({ REDIS_URL: 'redis://:hush@a', REDIS_URL_FILE: file('both', 'redis://:hush@b') })
    expect(message).toBe('REDIS_URL_FILE: REDIS_URL is set, too; it should be one of them')
  })

  it('is refused where its file cannot be read, or is empty', () => {
    const gone = join(dir, 'gone')
    expect(mistake({ DATABASE_URL_FILE: gone })).toBe(
      `DATABASE_URL_FILE: "${gone}" cannot be read (ENOENT); it should be a file that holds DATABASE_URL`,
    )
    expect(mistake({ DATABASE_URL_FILE: dir })).toContain('cannot be read (EISDIR)')
    const empty = file('empty', '\n')
    expect(mistake({ REDIS_URL_FILE: empty })).toBe(`REDIS_URL_FILE: "${empty}" is empty; it should hold REDIS_URL`)
  })

  it('is blamed for a wrong value, without the secret', () => {
    expect(mistake({ REDIS_URL_FILE: file('wrong', 'http://:hush@a') })).toMatch(
      /^REDIS_URL_FILE: redis\.url: .*\*\*\*/,
    )
    const url = mistake({ ALERTS_WEBHOOK_URL: 'hooks.slack.com/services/T0/B0/xyz' })
    expect(url).toMatch(/^ALERTS_WEBHOOK_URL: alerts\.webhook\.url: \*\*\* is no URL; /)
    expect(mistake({ HTTP_LISTEN: 'everywhere' })).toMatch(/^HTTP_LISTEN: http\.listen: "everywhere" is no address; /)
  })
})
