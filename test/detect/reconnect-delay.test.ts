import { describe, expect, it } from 'vitest'
import { reconnectDelay } from '../../src/detect/lives.js'

describe('reconnectDelay', () => {
  it.each([
    ['at once', 0, 20],
    ['after 10 s', 10_000, 20],
    ['after 25 s', 25_000, 50],
    ['after 5 minutes', 300_000, 600],
    ['after 10 minutes', 600_000, 1_000],
    ['after a day', 86_400_000, 1_000],
    ['after the clock was set back', -5_000, 20],
  ])('%s is %i -> %i ms', (_, downFor, delay) => {
    expect(reconnectDelay(downFor)).toBe(delay)
  })
})
