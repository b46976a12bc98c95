import { describe, expect, test } from 'vitest'
import { redactAddress, redactUrl, serverName } from '../../src/config/redact.js'

describe('redactUrl', () => {
  test.each([
    ['redis://user:hunter2@host:6379/0', 'redis://user:***@host:6379/0'],
    ['rediss://:hunter2@host', 'rediss://:***@host'],
    ['postgresql://u:hunter2@h/db?sslmode=require', 'postgresql://u:***@h/db?sslmode=require'],
    ['postgres://h/db?user=u&password=hunter2&sslmode=require', 'postgres://h/db?user=u&password=***&sslmode=require'],
    ['postgres://h/db?sslpassword=hunter2', 'postgres://h/db?sslpassword=***'],
    ['redis://h:6379/0?password=hun@ter2', 'redis://h:6379/0?password=***'],
    ['redis://[::1]:6379/0', 'redis://[::1]:6379/0'],
    ['postgres://bob@h:5432/db', 'postgres://bob@h:5432/db'],
    ['postgres://me@corp.com:hunter2@h/db', 'postgres://me@corp.com:***@h/db'],
    ['host=localhost password=hunter2 dbname=x', 'host=localhost password=*** dbname=x'],
    ["host=localhost password = 'hunter2 it\\'s' dbname=x", 'host=localhost password = *** dbname=x'],
    ['redis://host:99999', 'redis://host:99999'],
    ['see redis://host:6379, then https://example.com/a.', 'see redis://host:6379, then https://example.com/a.'],
    ['redis://host:', 'redis://host:'],
    ['', ''],
    ['no url at all: a@b, c:d', 'no url at all: a@b, c:d'],
    [
      'from redis://a:hunter2@b:1 to postgres://c:hunter2@d/e now',
      'from redis://a:***@b:1 to postgres://c:***@d/e now',
    ],
  ])('%j', (text, redacted) => {
    expect(redactUrl(text)).toBe(redacted)
    expect(redactUrl(redacted)).toBe(redacted)
  })

  test.each([
    'redis://u:hunter2',
    'redis://:hunter2',
    'redis://u:12hunter2',
    'redis://:123hunter2/0',
    'redis://u:hun/ter2@h',
    'redis://u:1/hunter2@h',
    'redis://u:hun?hunter2@h',
    'redis://u:hun#hunter2@h',
    'redis://u:hun@hunter2@h',
    'redis://u:hun:hunter2@h',
    'redis://u:"hunter2"@h',
    'redis://us/er:hunter2@h',
    'redis:/u:hunter2@h',
    'redis:\\\\u:hunter2@h',
    'redis://u:x&password=hunter2@h',
    'REDIS://U:hunter2@H',
  ])('hides the password of the broken URL %j', (url) => {
    expect(redactUrl(url)).not.toContain('hunter2')
    expect(redactUrl(`cannot reach "${url}" at all`)).not.toContain('hunter2')
  })

  test('takes no long time for a long text', () => {
    const started = performance.now()
    redactUrl(`${'a'.repeat(100_000)} ${'password '.repeat(10_000)} ${':'.repeat(100_000)}`)
    expect(performance.now() - started).toBeLessThan(2_000)
  })
})

describe('redactAddress', () => {
  test.each([
    ['localhost:6379', 'localhost:6379'],
    ['u:hunter2@localhost:6379', '***'],
    ['host=localhost password=hunter2', '***'],
    ['redis://u:hunter2 hunter2@h', 'redis://u:***@h'],
  ])('%j', (value, shown) => {
    expect(redactAddress(value)).toBe(shown)
  })
})

describe('serverName', () => {
  test.each([
    ['redis://user:hunter2@host', 'host:6379/0'],
    ['rediss://host:7000/3', 'host:7000/3'],
    ['redis://host?db=4', 'host:6379/4'],
    ['redis://[::1]:6379', '[::1]:6379/0'],
    ['postgres://user:hunter2@host/db?sslmode=require', 'host:5432/db'],
    ['postgresql://user@host:6000/my%20db', 'host:6000/my db'],
    ['postgres://host', 'host:5432'],
    ['postgres:///db', 'localhost:5432/db'],
    ['postgres://u:hunter2@/db?host=/run/postgresql&port=5433', '/run/postgresql:5433/db'],
    ['postgres://%2Frun%2Fpostgresql/db', '/run/postgresql:5432/db'],
    ['postgres://%zz/db', '%zz:5432/db'],
    ['hunter2', 'a server without a valid URL'],
  ])('%j is %j', (url, name) => {
    expect(serverName(url)).toBe(name)
  })
})
