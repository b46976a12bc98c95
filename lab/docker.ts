import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import type { Launch } from './processes.js'

/** The image that is used where no redis-server is installed; it brings RedisTimeSeries along. */
export const redisImage = 'redis:8'
const imageModule = '/usr/local/lib/redis/modules/redistimeseries.so'

/** Whether a Docker engine answers. */
export function dockerAnswers(): boolean {
  return spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 20_000 }).status === 0
}

/** A redis-server in a container that sees its folders under the same paths, and its port on 127.0.0.1 only. */
export interface Container {
  launch: Launch
  signal: (signal: NodeJS.Signals) => void
}

/** Prepares a `docker run` of redis-server with these arguments. */
export function redisContainer(
  dir: string,
  dataDir: string,
  port: number,
  modules: boolean,
  args: string[],
): Container {
  const name = `rekindle-${randomUUID()}`
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`
  const folders = [...new Set([dir, dataDir])].flatMap((folder) => ['--volume', `${folder}:${folder}`])
  const run = ['run', '--rm', '--name', name, '--user', user, '--publish', `127.0.0.1:${port}:${port}`, ...folders]
  const loads = modules ? ['--loadmodule', imageModule] : []
  const inside = ['--bind', '*', '--protected-mode', 'no', ...loads]
  return {
    launch: {
      dir,
      command: 'docker',
      args: [...run, '--entrypoint', 'redis-server', redisImage, ...args, ...inside],
      endCommand: (pid) => `kill -s KILL ${pid}; docker rm --force ${name}`,
    },
    signal: (signal) => {
      spawnSync('docker', ['kill', '--signal', signal, name], { stdio: 'ignore' })
    },
  }
}
