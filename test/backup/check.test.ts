import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { startRedis } from '../../lab/redis.js'
import { type Checked, checkRdb } from '../../src/backup/check.js'
import { ensureSpace, estimateBytes, sayBytes } from '../../src/backup/space.js'
import { describeOwnServers } from '../support/processes.js'
import { folder, unhurried } from './support.js'

const check = (path: string): Promise<Checked> => checkRdb(path, { classes: [], database: 0, signal: unhurried() })

/** A small RDB of this machine's Redis. */
async function someRdb(): Promise<string> {
  const redis = await startRedis({ modules: false })
  for (let i = 0; i < 50; i++) await redis.cli('SET', `key:${i}`, `value ${i}`)
  await redis.cli('SAVE')
  const path = join(folder(), 'some.rdb')
  copyFileSync(join(redis.dir, 'dump.rdb'), path)
  await redis.stop()
  return path
}

/** The same file with other bytes at a place. */
function changed(path: string, at: number, bytes: string): string {
  const content = readFileSync(path)
  content.write(bytes, at, 'latin1')
  const other = join(folder(), 'changed.rdb')
  writeFileSync(other, content)
  return other
}

describeOwnServers('a check', () => {
  const path = process.env['PATH']
  afterEach(() => {
    process.env['PATH'] = path
  })

  it('finds a whole file good, and counts its keys', async () => {
    expect(await check(await someRdb())).toMatchObject({ checked: 'ok', keys: { total: 50 }, warnings: [] })
  })

  it('refuses what is broken: cut off, changed within, no RDB', async () => {
    const good = await someRdb()
    const cut = join(folder(), 'cut.rdb')
    writeFileSync(cut, readFileSync(good).subarray(0, -20))
    const none = join(folder(), 'none.rdb')
    writeFileSync(none, 'this is no RDB')
    // Only the checksum tells: the structure is whole.
    const flipped = changed(good, readFileSync(good).indexOf('value 7'), 'VALUE 7')
    for (const [bad, why] of [
      [cut, /EOF/],
      [flipped, /CRC/],
      [none, /signature|not begin/],
    ] as const) {
      await expect(check(bad)).rejects.toMatchObject({ code: 'bad_backup', message: expect.stringMatching(why) })
    }
  })

  it('leaves a file of a newer Redis unchecked, and says so', async () => {
    const { checked, keys, warnings } = await check(changed(await someRdb(), 5, '0099'))
    expect({ checked, total: keys?.total }).toEqual({ checked: 'unchecked', total: 50 })
    expect(warnings).toEqual([expect.stringMatching(/redis-check-rdb is older than the Redis .*format version 99/)])
  })

  it('says when it cannot count the keys', async () => {
    const good = await someRdb()
    const newer = changed(changed(good, 5, '0099'), readFileSync(good).indexOf('key:') - 2, '\x3f')
    expect(await check(newer)).toMatchObject({
      checked: 'unchecked',
      keys: null,
      warnings: [expect.anything(), expect.stringContaining('type 63 is newer than Rekindle')],
    })
  })

  it('does without redis-check-rdb, with what its own eyes see', async () => {
    const good = await someRdb()
    process.env['PATH'] = folder()
    expect(await check(good)).toMatchObject({
      checked: 'unchecked',
      keys: { total: 50 },
      warnings: [expect.stringContaining('redis-check-rdb is not on PATH')],
    })
    const cut = join(folder(), 'cut.rdb')
    writeFileSync(cut, readFileSync(good).subarray(0, -20))
    await expect(check(cut)).rejects.toMatchObject({ code: 'bad_backup' })
    const program = join(folder(), 'redis-check-rdb')
    writeFileSync(program, '#!/bin/sh\nkill -9 $$\n')
    chmodSync(program, 0o755)
    process.env['PATH'] = `${join(program, '..')}:${path}`
    expect((await check(good)).warnings).toEqual([expect.stringContaining('did not come to its end')])
  })

  it('believes redis-check-rdb where its own eyes see trouble', async () => {
    const longer = join(folder(), 'longer.rdb')
    writeFileSync(longer, Buffer.concat([readFileSync(await someRdb()), Buffer.from('more')]))
    expect(await check(longer)).toMatchObject({
      checked: 'ok',
      keys: null,
      warnings: [expect.stringContaining('4 bytes follow')],
    })
  })
})

describe('space', () => {
  it('is wanted for as much as the newest backup took, or half of what is in memory', () => {
    expect(estimateBytes(undefined, undefined)).toBe(0)
    expect(estimateBytes(1000, 100)).toBe(1100)
    expect(estimateBytes(10, 10_000)).toBe(5000)
  })

  it('that is not there is a trouble that says how much is', async () => {
    await ensureSpace(folder(), 1)
    await expect(ensureSpace(folder(), 1e18)).rejects.toMatchObject({
      code: 'no_space',
      message: expect.stringMatching(/[\d.]+ [GT]B are free, and the backup may need 1000000\.0 TB/),
    })
  })

  it('is told in units that people read', () => {
    expect([0, 999, 1000, 1_500_000, 2e9, 3e12].map(sayBytes)).toEqual([
      '0 B',
      '999 B',
      '1.0 kB',
      '1.5 MB',
      '2.0 GB',
      '3.0 TB',
    ])
  })
})
