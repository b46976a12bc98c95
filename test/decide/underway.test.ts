import { expect, it } from 'vitest'
import { Underway } from '../../src/decide/underway.js'

it('knows what is being worked on, dataset by dataset', () => {
  const underway = new Underway()
  underway.add('A', 'indicators')
  underway.add('A', 'candles.m1')
  underway.add('B', 'candles.m1')
  underway.add('A', 'indicators')
  underway.done('A', 'indicators')
  underway.done('C', 'indicators')
  const has = () => ['A', 'B'].map((symbol) => underway.has(symbol, 'candles.m1'))
  expect(underway.has('A', 'indicators')).toBe(false)
  expect(has()).toEqual([true, true])
  underway.forget('A')
  expect(has()).toEqual([false, true])
  underway.clear()
  expect(has()).toEqual([false, false])
})
