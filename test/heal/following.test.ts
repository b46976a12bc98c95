import { expect, it } from 'vitest'
import type { Dataset, ReadOptions } from '../../src/datasets/dataset.js'
import { liveValuesOf } from '../../src/datasets/live.js'
import { makeTask } from '../../src/decide/tasks.js'
import { healTasks } from '../../src/heal/heal-tasks.js'
import type { Task } from '../../src/model.js'
import type { Database } from '../../src/postgres/database.js'
import type { Wire } from '../../src/redis/wire.js'

it.each<[boolean, Task['why'][]]>([
  [true, ['sync', 'sync']],
  [false, ['sync', 'loss']],
  [false, ['roster']],
  [false, ['drift']],
])('tells a dataset whether it only follows an announcement: %s for %s', async (following, whys) => {
  const asked: ReadOptions[] = []
  const dataset: Dataset = {
    name: 'x',
    keys: ['x:{symbol}'],
    rank: 0,
    writers: 'postgres',
    read: async (_, __, options) => {
      asked.push(options)
      return { wanted: [], leftOut: new Map() }
    },
    compare: async () => [],
    write: () => Promise.reject(new Error('nothing is to be written')),
  }
  const live = { values: liveValuesOf([dataset], 5_000), caughtUp: async () => undefined }
  const sides = { datasets: [dataset], db: {} as Database, redis: {} as Wire, live, server: 'redis' }
  const tasks = whys.map((why, i) => makeTask(`S${i}`, 'x', why, 0))
  await healTasks(tasks, sides, 0, new AbortController().signal)
  expect(asked).toMatchObject([{ following }])
})
