import { describe, expect, test } from 'vitest'
import { parseDuration } from '../../src/config/duration.js'

describe('parseDuration', () => {
  test.each([
    ['250ms', 250],
    ['1s', 1_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['24d', 2_073_600_000],
    ['007s', 7_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test.each<[unknown, string]>([
    [1000, 'has no unit; it should be 1000ms or 1000s, say'],
    ['30', 'has no unit; it should be 30ms or 30s, say'],
    ['0s', 'is too short; it should be at least 1ms'],
    ['0', 'has no unit'],
    ['25d', 'is too long; it should be at most 24d'],
    [`${'9'.repeat(400)}s`, 'is too long'],
    ...[-5, 1.5, '-5s', '1.5s', '1e3s', '5 m', ' 5m', '5m ', '5M', '5min', 's', '', null, true, ['1s'], {}].map(
      (value): [unknown, string] => [value, 'is not a duration; it should be a whole number with ms, s, m, h or d'],
    ),
  ])('%j is refused', (value, message) => {
    expect(() => parseDuration(value)).toThrow(message)
  })

  test('keeps to a least length', () => {
    expect(parseDuration('50ms', 50)).toBe(50)
    expect(() => parseDuration('49ms', 50)).toThrow('is too short; it should be at least 50ms')
  })
})
