import { describe, expect, it } from 'vitest'
import { parseOptions, UsageError, usage } from '../../demo/options.js'

describe('parseOptions', () => {
  it('has defaults', () => {
    expect(parseOptions([])).toEqual({ symbols: 50, layout: undefined, keep: false, help: false })
  })

  it('reads what is asked for', () => {
    const args = ['--symbols', '7', '--layout=sortedset', '--keep', '-h']
    expect(parseOptions(args)).toEqual({ symbols: 7, layout: 'sortedset', keep: true, help: true })
  })

  it.each([
    [['--symbols', '0'], '--symbols: "0" is no number of symbols; it should be 1 to 200'],
    [['--symbols', '1e2'], '--symbols: "1e2" is no number of symbols; it should be 1 to 200'],
    [['--layout', 'hash'], '--layout: "hash" is unknown; it should be sortedset or timeseries'],
    [['--symbol', '7'], "Unknown option '--symbol'; see --help"],
    [['--layout'], "Option '--layout <value>' argument missing; see --help"],
    [['7'], "Unexpected argument '7'; see --help"],
  ])('refuses %j in one line', (args, message) => {
    expect(() => parseOptions(args)).toThrow(new UsageError(message))
  })
})

it('explains itself within 80 columns', () => {
  expect(Math.max(...usage.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80)
})
