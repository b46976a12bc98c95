import { describe, expect, inject, it } from 'vitest'
import type { Dataset } from '../../src/datasets/dataset.js'
import { heal } from '../../src/heal/heal.js'
import { type Seeded, seeded } from '../decide/seeded.js'
import {
  candlesOf,
  indicatorsOf,
  insertCandles,
  insertIndicator,
  lacking,
  look,
  minute,
  minutes,
  postgresFirst,
  useSides,
} from './sides.js'

const SYMBOLS = ['A', 'B/ü', 'C']
const LENGTH = 40

type Command = (string | number)[]
type Damage = (key: string, random: Seeded) => Command[]

const ofAnyKey: Damage[] = [
  (key) => [['DEL', key]],
  (key) => [['SET', key, 'in the way']],
  (key) => [
    ['DEL', key],
    ['RPUSH', key, 'a', 'b'],
  ],
  (key) => [['RENAME', key, `elsewhere:${key}`]],
  (key) => [['EXPIRE', key, 0]],
]

const ofSeries: Damage[] = [
  (key, random) => [['TS.DEL', key, minute(random.below(LENGTH)), minute(LENGTH)]],
  (key, random) => [['TS.DEL', key, minute(0), minute(random.below(LENGTH))]],
  (key, random) => random.some([...Array(LENGTH).keys()]).map((nth) => ['TS.DEL', key, minute(nth), minute(nth)]),
  (key, random) => [['TS.ADD', key, minute(random.below(LENGTH)), random.fraction(), 'ON_DUPLICATE', 'LAST']],
  (key, random) => [['TS.ADD', key, minute(random.below(LENGTH)) + 7, 1, 'ON_DUPLICATE', 'LAST']],
  (key, random) => [
    ['TS.ALTER', key, 'DUPLICATE_POLICY', random.pick(['SUM', 'MIN', 'BLOCK']), 'LABELS', 'own', 'label'],
  ],
  (key) => [
    ['DEL', key],
    ['TS.CREATE', key, 'ENCODING', 'UNCOMPRESSED', 'DUPLICATE_POLICY', 'FIRST'],
  ],
]

const ofSets: Damage[] = [
  (key, random) => [['ZREMRANGEBYRANK', key, random.below(LENGTH), LENGTH]],
  (key, random) => [['ZREMRANGEBYRANK', key, 0, random.below(LENGTH)]],
  (key, random) =>
    random.some([...Array(LENGTH).keys()]).map((nth) => ['ZREMRANGEBYSCORE', key, minute(nth), minute(nth)]),
  (key, random) => [['ZADD', key, minute(random.below(LENGTH)), `{"t":${minute(random.below(LENGTH))},"c":1}`]],
  (key, random) => [['ZADD', key, minute(random.below(LENGTH)), 'no candle']],
  (key, random) => [['ZADD', key, minute(random.below(LENGTH)) + 7, 'between']],
  (key, random) => [
    ['ZINCRBY', key, 60_000 * random.below(3), `{"t":${minute(1)},"o":101,"h":202,"l":50.5,"c":151.5,"v":1010}`],
  ],
]

const ofHashes: Damage[] = [
  (key, random) => random.some(['p0', 'p1', 'p2', 'p3']).map((field) => ['HDEL', key, field]),
  (key, random) => [['HSET', key, random.pick(['p0', 'p1', 'p2']), random.pick(['', 'x', '0', '1e400', 'nan', '7'])]],
  (key) => [['HSET', key, 'own', 'field']],
]

const kinds: [string, Dataset, Damage[]][] = [
  ['sorted sets', candlesOf('sortedset'), [...ofAnyKey, ...ofSets, ...ofSets]],
  ['hashes', indicatorsOf(), [...ofAnyKey, ...ofHashes, ...ofHashes]],
]
if (inject('hasTimeSeries'))
  kinds.push(['time series', candlesOf('timeseries'), [...ofAnyKey, ...ofSeries, ...ofSeries]])

describe('whatever was done to Redis', () => {
  const sides = useSides()

  it.each(kinds)('one heal makes %s whole and leaves the rest', async (_, dataset, damages) => {
    for (const symbol of SYMBOLS) {
      await insertCandles(sides.database, symbol, minutes(LENGTH))
      const values = ['0', '1.5', '-2', '1e-9'].map((value, i): [string, string] => [`p${i}`, value])
      for (const timeframe of ['m1', 'm5']) await insertIndicator(sides.database, { symbol, timeframe }, values)
    }
    const { signal } = new AbortController()
    const mend = () =>
      heal(
        dataset,
        { db: sides.db, redis: sides.wire, live: postgresFirst(dataset), signal },
        { symbols: SYMBOLS, parts: undefined, thorough: true },
      )
    for (let seed = 1; seed <= 40; seed++) {
      await sides.redis('FLUSHALL')
      await sides.redis('SET', 'stranger', 'untouched')
      await mend()
      const { findings } = await look(dataset, sides, SYMBOLS)
      const random = seeded(seed)
      const done: Command[] = []
      for (let i = 0; i <= random.below(8); i++) {
        const { key } = random.pick(findings).wanted
        // Some follow on others that leave nothing to be done to.
        for (const command of random.pick(damages)(key, random)) {
          await sides.redis(...command).then(
            () => done.push(command),
            () => undefined,
          )
        }
      }
      await mend()
      const story = `seed ${seed}: ${JSON.stringify(done)}`
      for (const thorough of [true, false]) expect(await lacking(dataset, sides, SYMBOLS, thorough), story).toEqual([])
      expect((await mend()).tally, story).toMatchObject({ keys: 0, samples: 0, fields: 0 })
      expect(await sides.redis('GET', 'stranger')).toBe('untouched')
    }
  })
})
