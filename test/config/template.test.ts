import { describe, expect, test } from 'vitest'
import { renderKey, templateProblem } from '../../src/config/template.js'

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

describe('renderKey', () => {
  test('puts names in as they are', () => {
    expect(renderKey('{{symbol}}:{timeframe}:{symbol}', { symbol: "$&$1$'", timeframe: '{symbol}' })).toBe(
      "{$&$1$'}:{symbol}:$&$1$'",
    )
    expect(renderKey('ohlcv:{symbol}:{timeframe}:open', { symbol: 'a:b \n{timeframe}', timeframe: 'm1' })).toBe(
      'ohlcv:a:b \n{timeframe}:m1:open',
    )
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
