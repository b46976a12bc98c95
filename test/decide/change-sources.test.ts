import { expect, it } from 'vitest'
import { lacksTriggers, type Source } from '../../src/decide/change-sources.js'

function source(dataset: string, triggers: 'always' | 'missing'): Source {
  const relation = { name: dataset, role: 'self', kind: 'r', persistence: 'p', subscribed: false, triggers } as const
  return { dataset, key: dataset, table: dataset, relations: [relation] }
}

it('candles without triggers are left out on purpose only where none of them has any', () => {
  const others = [source('indicators', 'always'), source('symbols', 'always')]
  const bare = [source('candles.m1', 'missing'), source('candles.m5', 'missing')]
  expect(lacksTriggers([...others, ...bare])).toEqual([])
  const one = lacksTriggers([...others, source('candles.m1', 'missing'), source('candles.m5', 'always')])
  expect(one).toMatchObject([{ dataset: 'candles.m1', mend: expect.stringContaining('triggers --apply') }])
  // Where nothing was ever installed, all of them lack.
  expect(lacksTriggers([source('indicators', 'missing'), ...bare])).toHaveLength(3)
})
