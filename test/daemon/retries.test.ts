import { expect, it } from 'vitest'
import { Retries } from '../../src/daemon/retries.js'
import { makeTask } from '../../src/decide/tasks.js'

it('keeps one task for each symbol and dataset, which does what all of them would', () => {
  const retries = new Retries()
  const some = (timeframe: string, since: number) => makeTask('A', 'indicators', 'sync', since, new Set([timeframe]))
  const first = some('m1', 7)
  expect(retries.add([first, makeTask('B', 'indicators', 'sync', 7)])).toHaveLength(2)
  expect(retries.add([some('m5', 8), some('m15', 9)])).toEqual([])
  expect(retries.take(first)).toEqual({ ...first, parts: new Set(['m1', 'm5', 'm15']) })
  expect(retries.add([some('m5', 10)])).toEqual([some('m5', 10)])
})
