import { describe, expect, it } from 'vitest'
import { bytesOf, isPlain, SeriesWanted } from '../../src/datasets/series-wanted.js'
import { forManySeeds, type Seeded } from '../decide/seeded.js'

const NAME = { symbol: 'A', timeframe: 'm1', column: 'close', key: 'k' } as const

function wanted(
  values: readonly string[],
  times: readonly string[] = values.map((_, i) => String(1000 + i)),
): SeriesWanted {
  return new SeriesWanted(NAME, bytesOf(times.join(',')), bytesOf(values.join(',')), values.length)
}

/** A numeric as PostgreSQL prints one. */
function numeric(random: Seeded): string {
  const digits = (count: number): string => Array.from({ length: count }, () => random.below(10)).join('')
  const whole = String(BigInt(digits(1 + random.below(random.pick([2, 6, 18, 40])))))
  const fraction = random.below(3) === 0 ? '' : `.${digits(1 + random.below(random.pick([2, 9, 25])))}`
  return `${random.below(3) === 0 ? '-' : ''}${whole}${fraction}`
}

describe('SeriesWanted', () => {
  it('sums its values bit for bit like JavaScript', () => {
    forManySeeds((random) => {
      const values = Array.from({ length: 1 + random.below(300) }, () => numeric(random))
      expect(wanted(values).sum()).toBe(values.reduce((total, value) => total + Number(value), 0))
    })
  })

  it('knows its ends and its samples', () => {
    forManySeeds((random) => {
      const values = Array.from({ length: 1 + random.below(5) }, () => numeric(random))
      const times = values.map((_, i) => String(10 ** (1 + 2 * i)))
      const series = wanted(values, times)
      expect([series.times, series.values]).toEqual([times, values])
      expect([series.firstTime, series.lastTime, series.lastValue]).toEqual([times[0], times.at(-1), values.at(-1)])
    })
  })
})

describe('isPlain', () => {
  it.each(['1', '0', '-1.5', '1,2,3', '0.00001187,17', '9'.repeat(300)])('%s is', (text) => {
    expect(isPlain(bytesOf(text))).toBe(true)
  })

  it.each(['', ',', '1,', ',1', '1,,2', 'NaN', '1,NaN', 'Infinity', '-Infinity', '1e5', '1,2e-7', '9'.repeat(301)])(
    '%j is not',
    (text) => {
      expect(isPlain(bytesOf(text))).toBe(false)
    },
  )
})
