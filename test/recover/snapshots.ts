import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RunningRedis } from '../../lab/redis.js'

/** Copies what a Redis holds now into a folder, as an RDB file of this name. */
export async function snapshot(redis: RunningRedis, folder: string, name = 'backup.rdb'): Promise<string> {
  await redis.cli('SAVE')
  const path = join(folder, name)
  copyFileSync(join(redis.dir, 'dump.rdb'), path)
  return path
}
