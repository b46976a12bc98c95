import { describe, expect, it } from 'vitest'
import { postgresUrlProblem, readPostgresUrl } from '../../src/config/postgres-url.js'

const NOTHING = { host: undefined, port: undefined, user: undefined, password: undefined, database: undefined }

describe('the addresses that psql takes', () => {
  it.each([
    ['postgres://', {}],
    ['postgresql://h', { host: 'h' }],
    ['POSTGRES://u:p@h:6543/d', { host: 'h', port: 6543, user: 'u', password: 'p', database: 'd' }],
    [
      'postgres://acme:s3cret@/acme?host=/dir&port=5433',
      { host: '/dir', port: 5433, user: 'acme', password: 's3cret', database: 'acme' },
    ],
    ['postgres://%2Fvar%2Frun/d', { host: '/var/run', database: 'd' }],
    ['postgres://u@%2Fvar%2Frun:5433', { host: '/var/run', port: 5433, user: 'u' }],
    ['postgres:///d?user=u&password=p%26%3D+q', { user: 'u', password: 'p&=+q', database: 'd' }],
    ['postgres://[::1]:6543/d', { host: '::1', port: 6543, database: 'd' }],
    ['postgres://h1/d1?host=h2&dbname=d2&host=h3', { host: 'h3', database: 'd2' }],
    ['postgres://u:p%2Fw%25@h/a%2Fb%3Fc%23d', { host: 'h', user: 'u', password: 'p/w%', database: 'a/b?c#d' }],
    ['postgres://u:@h?host=', { host: 'h', user: 'u' }],
    [
      'postgres://h?sslmode=disable&options=-c%20a%3Db',
      { host: 'h', params: { sslmode: 'disable', options: '-c a=b' } },
    ],
  ])('%s', (url, address) => {
    expect(postgresUrlProblem(url)).toBeUndefined()
    expect(readPostgresUrl(url)).toEqual({ ...NOTHING, params: {}, ...address })
  })
})

describe('an address that cannot be used is told in a few words', () => {
  it.each([
    ['h:5432/d', /^is not the URL of a PostgreSQL; it should be postgres:/],
    ['mysql://h/d', /^is not the URL of a PostgreSQL; /],
    ['postgres://u:p@h1:5432,h2:5433/d', /^names several hosts, which is not supported yet; it should name one$/],
    ['postgres://h1,h2/d', /^names several hosts/],
    ['postgres:///d?host=h1,h2', /^names several hosts/],
    ['postgres:///d?host=h&port=1%2C2', /^names several hosts/],
    ['postgres://?service=acme', /^has the parameter service, which is not supported yet; /],
    ['postgres://h/d?passfile=/p', /^has the parameter passfile/],
    ['postgres://h/d?hostaddr=127.0.0.1', /^has the parameter hostaddr/],
    ['postgres://h:0/d', /^has a bad port/],
    ['postgres://h/d?port=a', /^has a bad port/],
    ['postgres://ho st/d', /^names no valid host/],
    ['postgres://[::1/d', /^has a bad port/],
    ['postgres://[nonsense]/d', /^names no valid host/],
    ['postgres:///d?host=a@b', /^is not escaped rightly/],
    ['postgres://u:p@w@h/d%', /^is not escaped rightly/],
    ['postgres://u:%ff@h/d', /^is not escaped rightly/],
    ['postgres://%zz/d', /^is not escaped rightly/],
    ['postgres://h/d?sslmode=maybe', /^has an unknown sslmode/],
  ])('%s', (url, problem) => {
    expect(postgresUrlProblem(url)).toMatch(problem)
  })
})
