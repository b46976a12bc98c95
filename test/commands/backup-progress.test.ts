import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { type RunningRedis, startRedis } from '../../lab/redis.js'
import { takeBackup } from '../../src/backup/take.js'
import { showProgress } from '../../src/commands/backup-now.js'
import { Progress } from '../../src/commands/progress.js'
import { AT_ONCE, configFor, folder, makeSlow, unhurried } from '../backup/support.js'
import { describeOwnServers } from '../support/processes.js'

/** The lines that a terminal is sent while a backup is taken. */
async function linesOf(redis: RunningRedis, dir: string): Promise<string[]> {
  const through = new PassThrough({ encoding: 'utf8' })
  const stream = Object.assign(through, { isTTY: true, columns: 120 }) as unknown as NodeJS.WriteStream
  const onProgress = showProgress(new Progress(stream))
  await takeBackup({ config: configFor(redis.url, dir), signal: unhurried(), onProgress })
  return String(through.read() ?? '').split('\r\x1b[2K')
}

const SHARE = /^Backing up (━*)(─+) ~(\d+) % · [\d.]+ [kM]?B of ~[\d.]+ [kM]B · [\d.]+ [kM]?B\/s$/

describeOwnServers('the progress of a backup', () => {
  it('is drawn against about what will come where the server does not tell', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    await makeSlow(redis)
    const dir = folder()
    for (const round of [1, 2]) {
      const bars = (await linesOf(redis, dir)).filter((line) => line.startsWith('Backing up'))
      expect(bars.length).toBeGreaterThan(3)
      const shares = bars.map((line) => Number(SHARE.exec(line)?.[3]))
      expect(shares).toEqual([...shares].sort((a, b) => a - b))
      // Before there is any backup, half of what is in memory is expected, and all of it comes: it is noise.
      if (round === 1) expect(shares.at(-1)).toBe(99)
      else expect(shares.at(-1)).toBeLessThan(99)
    }
    await redis.stop()
  })

  it('is drawn exactly where it does', async () => {
    const redis = await startRedis({ args: ['--repl-diskless-sync', 'no'] })
    await redis.cli('SET', 'a', 'b')
    const lines = await linesOf(redis, folder())
    expect(lines.join()).not.toContain('~')
    await redis.stop()
  })
})
