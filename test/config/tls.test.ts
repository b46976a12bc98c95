import { describe, expect, it } from 'vitest'
import { splitTls, withTls } from '../../src/config/tls.js'
import { rekindle, writeConfig } from '../commands/rekindle.js'

describe('the names of the files in a URL', () => {
  it('go in and come out as they were, and leave the rest of the URL alone', () => {
    const files = { ca: '/etc/a b/ca?.pem', cert: 'c&d.pem', key: 'k=.pem' }
    for (const url of ['rediss://u:p%40@h:1/2', 'rediss://h?db=3', 'REDISS://h/0?family=6']) {
      expect(splitTls(withTls(url, files))).toEqual({ address: url, files })
    }
  })

  it('that the URL has already stand', () => {
    expect(splitTls(withTls('rediss://h?tlsca=mine', { ca: 'other' })).files).toEqual({ ca: 'mine' })
  })

  it('are none without TLS', () => {
    expect(splitTls('redis://h/0')).toEqual({ address: 'redis://h/0', files: undefined })
    expect(splitTls('/run/redis.sock')).toEqual({ address: '/run/redis.sock', files: undefined })
  })
})

describe('files for TLS in the configuration', () => {
  it.each([
    [{ tls: { ca: 'ca.pem' } }, /redis\.url: .*it should be rediss:\/\//],
    [{ url: 'rediss://localhost', tls: { cert: 'c.pem' } }, /redis\.url: .*both tls\.cert and tls\.key/],
    [{ url: 'rediss://localhost?tlskey=k.pem' }, /redis\.url: .*both tls\.cert and tls\.key/],
    [
      { url: 'rediss://localhost', tls: { car: 'ca.pem' } },
      /redis\.tls\.car: unknown key; it should be one of ca, cert/,
    ],
    [{ url: 'rediss://localhost', tls: { ca: 7 } }, /redis\.tls\.ca: 7 is not the name of a file/],
  ])('refuses %j', async (redis, message) => {
    const { status, stderr } = await rekindle(['wait', '--config', writeConfig({ redis }, 'wrong.yaml')])
    expect(stderr).toMatch(message)
    expect(stderr.trimEnd()).not.toContain('\n')
    expect(status).toBe(2)
  })
})
