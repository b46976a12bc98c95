import { describe, expect, it } from 'vitest'
import { findClashes } from '../../src/config/clashes.js'
import { canMeet } from '../../src/config/patterns.js'
import { configSchema } from '../../src/config/schema.js'

describe('findClashes', () => {
  it.each([
    ['user:{id}', 'user:{id}:profile'],
    ['user:{id}', 'user:admin:{id}'],
    ['ohlcv:{symbol}', 'ohlcv:{symbol}:m1:bid:{id}'],
    ['{a}.{b}', '{a}:{b}:{c}:d'],
    ['ohlcv+{a}:m1', 'ohlcv:{a}:h1'],
  ])('lets %s be beside %s, and beside the defaults', (a, b) => {
    const rows = { a: { table: 't', key: a }, b: { table: 't', key: b } }
    expect(findClashes(configSchema.parse({ rows }) as Parameters<typeof findClashes>[0])).toEqual([])
  })

  it.each([
    ['sub:user:{id}', 'sub:{kind}:{id}'],
    ['a:{id}', '{plan}:{id}'],
    ['{a}:{b}', 'x{c}:{d}y'],
    ['{a}{b}', 'one'.concat('{c}')],
    ['{a}:m1', 'ohlcv-{id}:{tf}'],
    ['u:{id}', 'u:{name}'],
    ['u:{id}-{n}', 'u:{id}'],
    ['日:{id}', '{x}:{id}🚀'],
  ])('refuses %s beside %s, in either order', (a, b) => {
    for (const [first, second] of [
      [a, b],
      [b, a],
    ] as const) {
      const rows = { a: { table: 't', key: first }, b: { table: 't', key: second } }
      const { error } = configSchema.safeParse({ rows, candles: false, indicators: false })
      expect(error?.issues.map(({ message }) => message)).toEqual([
        'gives the same key as rows.b.key; it should give keys of its own',
        'gives the same key as rows.a.key; it should give keys of its own',
      ])
    }
  })

  it('refuses rows that can give a key of the candles or the indicators', () => {
    for (const key of ['{a}:{b}:m5', 'ohlcv:{what}', 'indicator:{a}:{b}', 'ohlcv:{a}:m1:{column}']) {
      const { success } = configSchema.safeParse({ rows: { a: { table: 't', key } } })
      expect([key, success]).toEqual([key, key === 'ohlcv:{what}'])
    }
  })

  it('takes no longer for long templates', () => {
    const long = Array.from({ length: 60 }, (_, i) => `{c${i}}x`).join('')
    expect(canMeet(`${long}:a`, `${long}:b`)).toBe(false)
    expect(canMeet(`${long}:a`, `${long}:{b}`)).toBe(true)
  })
})
