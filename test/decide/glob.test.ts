import { describe, expect, test } from 'vitest'
import { globTest } from '../../src/decide/glob.js'
import { useRedis } from '../support/servers.js'

const patterns = [
  '*',
  'h?llo',
  'h*llo',
  'h[ae]llo',
  'h[^e]llo',
  'h[a-b]llo',
  'h[b-a]llo',
  'h\\?llo',
  'h[\\]]llo',
  'h[',
  'h[]',
  'h[^]x',
].concat([
  'a.c',
  'a+c',
  '(x)',
  'a\\*',
  '[x-',
  'user:{1}:*',
  'é?',
  '',
  'h[a',
  '\\',
  'a|b',
  '^a$',
  'a/b*',
  'line*end',
  'h[a-]llo',
  'h-llo',
  'my-app:*',
  'a*b*c',
  '*a*',
  '**',
  '*-*',
  'h[--a]llo',
])
const texts = [
  '',
  'hello',
  'hallo',
  'hllo',
  'h?llo',
  'h]llo',
  'h',
  'h[',
  'h[]',
  'hx',
  'a.c',
  'abc',
  'a+c',
  '(x)',
  'a*',
  'x',
  '[x-',
].concat([
  'user:{1}:2',
  'éa',
  'a|b',
  '^a$',
  'a/b/c',
  'line\nend',
  'a',
  'ha',
  '\\',
  '-',
  'h-llo',
  'my-app:1',
  'aXbXc',
  'abcbc',
  'ab',
])

test('no name takes long, however many stars there are', () => {
  const name = `t${':'.repeat(100_000)}`
  const started = performance.now()
  expect(globTest('t:*:*:*:*:z')(name)).toBe(false)
  expect(performance.now() - started).toBeLessThan(5_000)
})

describe('patterns', () => {
  const redis = useRedis({ modules: false })

  test.each(patterns)('%j matches what Redis says it matches', async (pattern) => {
    await redis.cli('FLUSHALL')
    await redis.cli('MSET', ...texts.flatMap((text) => [text, 'x']))
    const keys = (await redis.cli('KEYS', pattern)) as string[]
    expect(texts.filter(globTest(pattern)).sort()).toEqual(keys.sort())
  })
})
