import { expect, it } from 'vitest'
import { configSchema } from '../../src/config/schema.js'
import { maskSecrets, secretsOf, withoutSecrets } from '../../src/config/secrets.js'

it('finds what is secret in the configuration and the environment, longest first', () => {
  const config = configSchema.parse({
    redis: { url: 'redis://user:a%2Fb%3Ac@127.0.0.1/0' },
    postgres: {
      url: 'postgres://u@host/d?password=wo%20rd&sslmode=disable',
      listen_url: 'postgres://u:directly@host/d',
    },
    alerts: { webhook: { url: 'https://hooks.example.com/T0/B1', secret: 'signed' } },
  })
  expect(secretsOf(config, { REDISCLI_AUTH: 'other', PGPASSWORD: '', PATH: '/bin' })).toEqual([
    'https://hooks.example.com/T0/B1',
    'a%2Fb%3Ac',
    'directly',
    'wo%20rd',
    '/T0/B1',
    'signed',
    'other',
    'a/b:c',
    'wo rd',
  ])
})

it('finds none where there is none', () => {
  const config = configSchema.parse({
    redis: { url: 'redis://127.0.0.1/0' },
    postgres: { url: 'postgres://u@host/d' },
    alerts: { webhook: { url: 'https://hooks.example.com/' } },
  })
  expect(secretsOf(config, {})).toEqual(['https://hooks.example.com/'])
})

it('takes every variable of ours, and the passwords of the servers, from an environment', () => {
  const env = {
    REDIS_URL_FILE: 'a',
    DATABASE_URL: 'b',
    ALERTS_WEBHOOK_SECRET: 'c',
    HTTP_LISTEN: 'd',
    LOG_LEVEL: 'e',
    PGPASSWORD: 'f',
    REDISCLI_AUTH: 'g',
    PATH: '/bin',
    AWS_PROFILE: 'backups',
  }
  expect(withoutSecrets(env)).toEqual({ PATH: '/bin', AWS_PROFILE: 'backups' })
})

it('hides all of a secret, also where another is a part of it, and every other password of a URL', () => {
  expect(maskSecrets('abcd ab s3://me:hush@host', ['abcd', 'ab'])).toBe('*** *** s3://me:***@host')
})
