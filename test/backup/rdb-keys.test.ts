import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startRedis } from '../../lab/redis.js'
import { CorruptRdb, UnknownRdb } from '../../src/backup/rdb-keys.js'
import { describeOwnServers } from '../support/processes.js'
import { fillWithEveryType } from './every-type.js'
import { folder, keysOf } from './support.js'

describeOwnServers('the keys of an RDB', () => {
  it.each(['noeviction', 'allkeys-lfu', 'allkeys-lru'])(
    'are those of the server, in every type and encoding (%s)',
    async (policy) => {
      const redis = await startRedis({ args: ['--maxmemory-policy', policy, '--dbfilename', 'dump.rdb'] })
      const { types, encodings } = await fillWithEveryType(redis)
      expect(encodings.size).toBeGreaterThanOrEqual(11)
      await redis.cli('SAVE')
      const keys = await keysOf(join(redis.dir, 'dump.rdb'))
      const read = new Map<number, Map<string, string>>()
      for (const { db, key, type } of keys) read.set(db, (read.get(db) ?? new Map()).set(key.toString(), type))
      expect(read).toEqual(types)
      const expiring = keys.filter(({ expiresAt }) => expiresAt !== undefined)
      expect(expiring.map(({ key }) => key.toString()).sort()).toEqual(['hash:table', 'string:expiring'])
      for (const { expiresAt = 0 } of expiring)
        expect(Math.abs(expiresAt - Date.now() - 3_600_000)).toBeLessThan(60_000)
      expect(keys.find(({ key }) => key.includes(0xff))?.key).toEqual(Buffer.from('binary:\x00\xff\xfe', 'latin1'))
      await redis.stop()
    },
  )

  it('are read in the encodings of older servers, too', async () => {
    const redis = await startRedis({
      modules: false,
      args: ['--rdbcompression', 'no', '--list-max-ziplist-size', '1', '--hash-max-ziplist-entries', '0'],
    })
    const { types } = await fillWithEveryType(redis)
    await redis.cli('SAVE')
    const keys = await keysOf(join(redis.dir, 'dump.rdb'))
    expect(keys.filter(({ db }) => db === 0)).toHaveLength(types.get(0)?.size ?? 0)
    await redis.stop()
  })

  it('are not read from a file that was cut off anywhere, or goes on', async () => {
    const redis = await startRedis()
    await fillWithEveryType(redis)
    await redis.cli('DEL', 'string:large', 'list:plain')
    await redis.cli('SAVE')
    const whole = join(redis.dir, 'dump.rdb')
    const { length } = readFileSync(whole)
    const path = join(folder(), 'cut.rdb')
    for (let size = length - 1; size >= 0; size -= size > length - 300 ? 1 : Math.ceil(length / 150)) {
      copyFileSync(whole, path)
      truncateSync(path, size)
      await expect(keysOf(path), `cut off after ${size} of ${length} bytes`).rejects.toBeInstanceOf(CorruptRdb)
    }
    writeFileSync(path, Buffer.concat([readFileSync(whole), Buffer.alloc(1)]))
    await expect(keysOf(path)).rejects.toThrow('1 bytes follow its end')
    await redis.stop()
  })
})

describe('an RDB made by hand', () => {
  const TAIL = [255, 0, 0, 0, 0, 0, 0, 0, 0]
  const write = (...bytes: (number | string)[]): string => {
    const path = join(folder(), 'hand.rdb')
    writeFileSync(
      path,
      Buffer.concat(bytes.map((each) => (typeof each === 'string' ? Buffer.from(each) : Buffer.from([each])))),
    )
    return path
  }
  const rdb = (...bytes: (number | string)[]): string => write('REDIS0012', ...bytes, ...TAIL)
  const names = async (path: string): Promise<string[]> =>
    (await keysOf(path)).map(({ key, type, db }) => `${db} ${type} ${key}`)

  it.each([
    ['a list of strings', 1, [2, 1, 'a', 0xc0, 5], 'list'],
    ['a sorted set with texts for scores', 3, [3, 1, 'a', 3, '1.5', 1, 'b', 254, 1, 'c', 1, '7'], 'zset'],
    ['a zipmap', 9, [3, 'abc'], 'hash'],
    ['a list of ziplists', 14, [2, 1, 'a', 0xc3, 2, 5, 'zz'], 'list'],
    [
      'a stream of Redis 5',
      15,
      [1, 1, 'i', 1, 'l', 1, 2, 3, 1, 1, 'g', 1, 2, 1, 'i'.repeat(24), 1, 1, 1, 'c', 't'.repeat(8), 1, 'i'.repeat(16)],
      'stream',
    ],
    [
      'a stream of Redis 7.2',
      21,
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 'g', 1, 2, 3, 0, 1, 1, 'c', 't'.repeat(16), 2, 'i'.repeat(32)],
      'stream',
    ],
    [
      'a hash whose fields expire',
      24,
      ['e'.repeat(8), 2, 0, 1, 'f', 1, 'v', 0x81, 'l'.repeat(8), 1, 'g', 1, 'w'],
      'hash',
    ],
    ['a small hash whose fields expire', 25, ['e'.repeat(8), 2, 'lp'], 'hash'],
    ['a hash whose fields expire, of a release candidate', 22, [1, 5, 1, 'f', 1, 'v'], 'hash'],
    ['a set as a listpack', 20, [2, 'lp'], 'set'],
    [
      'a value of a module',
      7,
      [0x81, 'm'.repeat(8), 1, 5, 2, 0x40, 9, 3, 'flot', 4, 'a double', 5, 2, 'st', 0],
      'module',
    ],
  ] as const)('with %s', async (_, type, value, name) => {
    expect(await names(rdb(type, 1, 'k', ...value, 0, 1, 'n', 1, 'v'))).toEqual([`0 ${name} k`, '0 string n'])
  })

  it('with everything that may stand between keys', async () => {
    const path = rdb(
      ...[250, 9, 'redis-ver', 5, '8.0.6', 247, 0x81, 'm'.repeat(8), 2, 1, 5, 1, 's', 0, 245, 4, 'code'],
      ...[254, 7, 251, 2, 1, 244, 1, 2, 3, 253, 1, 0, 0, 0, 248, 0x80, 0, 0, 1, 0, 0, 1, 'a', 1, 'v'],
      ...[252, 2, 0, 0, 0, 1, 0, 0, 0, 249, 3, 0, 1, 'b', 1, 'v', 0, 1, 'c', 1, 'v', 247, 1, 2, 2, 0],
    )
    const keys = await keysOf(path)
    expect(keys.map(({ key, db, expiresAt }) => [key.toString(), db, expiresAt])).toEqual([
      ['a', 7, 1000],
      ['b', 7, 2 ** 32 + 2],
      ['c', 7, undefined],
    ])
  })

  it('that is newer than Rekindle is not taken for a broken one', async () => {
    for (const path of [rdb(26, 1, 'k', 1, 'v'), rdb(243, 1), rdb(0, 1, 'k', 0xc4), write('VALKEY080', ...TAIL)])
      await expect(keysOf(path)).rejects.toBeInstanceOf(UnknownRdb)
  })

  it('that is nothing of the kind is refused', async () => {
    for (const path of [write(), write('REDIS'), write('{"a": "JSON file"}'), rdb(7, 1, 'k', 1, 9), rdb(0, 0x82)])
      await expect(keysOf(path)).rejects.toBeInstanceOf(CorruptRdb)
    await expect(keysOf(rdb(0, 0x81, 'x'.repeat(8)))).rejects.toThrow('reaches beyond the end')
    await expect(keysOf(rdb(0, 0xc3, 3, 0x80, 'xxxx', 'abc', 1, 'v'))).rejects.toThrow('longer than it can be')
  })

  it('before the checksum was invented ends without one', async () => {
    expect(await names(write('REDIS0004', 0, 1, 'k', 1, 'v', 255))).toEqual(['0 string k'])
  })
})
