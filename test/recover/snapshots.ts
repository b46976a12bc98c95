import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RunningRedis } from '../../lab/redis.js'

/** Copies what a Redis holds now into a folder, as an RDB file of this name. */
export async function snapshot({ cli, dir }: RunningRedis, folder: string, name = 'backup.rdb'): Promise<string> {
  await cli('SAVE')
  const path = join(folder, name)
  copyFileSync(join(dir, 'dump.rdb'), path)
  return path
}
