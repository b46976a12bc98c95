import { describe, expect, it } from 'vitest'
import { lanesOf, lanesWith } from '../../src/decide/lanes.js'

const candles = { name: 'candles.m1' }
const indicators = { name: 'indicators' }
const plans = { name: 'rows.plans', lane: 'rows.plans' }

describe('lanesOf', () => {
  it('pairs datasets with every symbol, and one that has a lane with that alone', () => {
    expect([...lanesOf([candles, indicators, plans], ['A', 'B'])]).toEqual([
      ['A', ['candles.m1', 'indicators']],
      ['B', ['candles.m1', 'indicators']],
      ['rows.plans', ['rows.plans']],
    ])
  })

  it('has no lane for symbols that nothing belongs to', () => {
    expect([...lanesOf([plans], ['A'])]).toEqual([['rows.plans', ['rows.plans']]])
  })

  it('lets a symbol share the lane that is called like it', () => {
    expect([...lanesOf([candles, plans], ['rows.plans'])]).toEqual([['rows.plans', ['candles.m1', 'rows.plans']]])
  })

  it('is empty for nothing', () => {
    expect(lanesOf([candles], []).size).toBe(0)
  })
})

describe('lanesWith', () => {
  const lanes = lanesOf([candles, plans], ['A', 'B'])

  it('names the lanes of a dataset, in order', () => {
    expect(lanesWith(lanes, 'candles.m1')).toEqual(['A', 'B'])
    expect(lanesWith(lanes, 'rows.plans')).toEqual(['rows.plans'])
    expect(lanesWith(lanes, 'symbols')).toEqual([])
  })
})
