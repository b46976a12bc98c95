import { describe, expect, test } from 'vitest'
import { matchKey, renderKey, templateProblem } from '../../src/config/template.js'

const oddSymbols = [
  'BTCUSDT',
  'BRK B',
  'EUR/USD',
  'Ω≈ç 比特币 🚀',
  'a:b',
  ':',
  '*',
  '{',
  '}',
  '{symbol}',
  '{timeframe}',
  '$&',
  '$1',
  "$'",
  '$<symbol>',
  '.*',
  '[x',
  '\\',
  'line\nbreak',
  '\ud800',
  '\0',
]
const templates = [
  'ohlcv:{symbol}:{timeframe}',
  'ohlcv:{symbol}:{timeframe}:open',
  'ts:{timeframe}:{symbol}',
  '{symbol}',
  'a.b*(c)[d]|$^+?\\:{symbol}:{timeframe}',
  'slot:{{symbol}}:{timeframe}',
  '{symbol}/{symbol}:{timeframe}',
  '{symbol}\n{timeframe}',
]

describe.each(templates)('template %j', (template) => {
  const match = matchKey(template, ['m1', 'm5', 'a.b'])

  test.each(oddSymbols)('finds in a key what was put into it: %j', (symbol) => {
    const timeframe = template.includes('{timeframe}') ? 'm5' : 'm1'
    expect(match(renderKey(template, { symbol, timeframe }))).toEqual({ symbol, timeframe })
  })

  test.each(['', ':', 'price:BTC', 'rekindle:epoch'])('knows the key %j for a stranger', (key) => {
    if (template === '{symbol}') return expect(match(key)?.symbol).toBe(key || undefined)
    expect(match(key)).toBeUndefined()
  })
})

describe('renderKey', () => {
  test('puts names in as they are', () => {
    expect(renderKey('{{symbol}}:{timeframe}:{symbol}', { symbol: "$&$1$'", timeframe: '{symbol}' })).toBe(
      "{$&$1$'}:{symbol}:$&$1$'",
    )
  })
})

describe('matchKey', () => {
  test('with timeframes takes no column for a timeframe', () => {
    const close = matchKey('ohlcv:{symbol}:{timeframe}', ['m1', 'm5'])
    expect(close('ohlcv:BTC:m1')).toEqual({ symbol: 'BTC', timeframe: 'm1' })
    expect(close('ohlcv:BTC:m1:open')).toBeUndefined()
    expect(close('ohlcv:BTC:m15')).toBeUndefined()
    expect(close('ohlcv:A:m1:m5')).toEqual({ symbol: 'A:m1', timeframe: 'm5' })
  })

  test('takes a timeframe for text, not for a pattern', () => {
    expect(matchKey('{symbol}:{timeframe}', ['m.'])('BTC:m1')).toBeUndefined()
  })

  test('without timeframes takes any, the shortest at the end', () => {
    const match = matchKey('indicator:{symbol}:{timeframe}')
    expect(match('indicator:a:b:h4')).toEqual({ symbol: 'a:b', timeframe: 'h4' })
    expect(match('indicator:BTC:')).toBeUndefined()
    expect(match('indicator::h4')).toBeUndefined()
    expect(match('xindicator:BTC:h4')).toBeUndefined()
  })

  test('answers for a template without {timeframe}', () => {
    expect(matchKey('c:{symbol}', ['h1'])('c:BTC')).toEqual({ symbol: 'BTC', timeframe: 'h1' })
    expect(matchKey('c:{symbol}')('c:BTC')).toEqual({ symbol: 'BTC', timeframe: '' })
  })

  test('wants the same name wherever a placeholder comes twice', () => {
    const match = matchKey('{symbol}:{symbol}:{timeframe}', ['m1'])
    expect(match('a:b:a:b:m1')).toEqual({ symbol: 'a:b', timeframe: 'm1' })
    expect(match('a:b:m1')).toBeUndefined()
  })

  test('is not slowed down by a long key of colons', () => {
    const match = matchKey('ohlcv:{symbol}:{timeframe}:open')
    const started = performance.now()
    expect(match(`ohlcv${':'.repeat(100_000)}`)).toBeUndefined()
    expect(performance.now() - started).toBeLessThan(1_000)
  })
})

describe('templateProblem', () => {
  test.each(templates)('finds none in %j', (template) => {
    expect(templateProblem(template)).toBeUndefined()
  })

  test.each([
    ['', 'has no {symbol}'],
    ['ohlcv:{timeframe}', 'has no {symbol}'],
    ['ohlcv:{symbol}:{tf}', 'holds the unknown {tf}; it should use {symbol} and {timeframe} only'],
    ['ohlcv:{Symbol}', 'holds the unknown {Symbol}'],
    ['ohlcv:{ symbol }', 'holds the unknown { symbol }'],
    ['ohlcv:{symbol}:{}', 'holds the unknown {}'],
    ['ohlcv:{symbol}:{timeframe', 'holds a brace without its partner'],
    ['ohlcv:{symbol}}', 'holds a brace without its partner'],
  ])('finds one in %j', (template, problem) => {
    expect(templateProblem(template)).toContain(problem)
  })
})
