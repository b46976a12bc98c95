import { describe, expect, it } from 'vitest'
import { findClashes } from '../../src/config/clashes.js'
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
})
