import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const stackServer = '/opt/redis-stack/bin/redis-server'
const stackModule = '/opt/redis-stack/lib/redistimeseries.so'
const modulePlaces = [
  '/usr/lib/redis/modules/redistimeseries.so',
  '/usr/local/lib/redis/modules/redistimeseries.so',
  stackModule,
]

/** Paths of a redis-server and of a RedisTimeSeries module that it may load, each undefined where there is none. */
export interface FoundRedis {
  server: string | undefined
  module: string | undefined
}

/** Looks for redis-server (6 or newer) on PATH and for RedisTimeSeries where REDIS_TIMESERIES_MODULE says or in the usual places. */
export function findRedis(): FoundRedis {
  const { REDIS_TIMESERIES_MODULE: named } = process.env
  const module = named || modulePlaces.find(existsSync)
  const onPath = findProgram('redis-server')
  const server = [module === stackModule ? stackServer : onPath, onPath, stackServer].find(isRecentServer)
  return { server, module }
}

/** Full path of a program on PATH, or undefined. */
export function findProgram(name: string): string | undefined {
  const { PATH = '' } = process.env
  const places = PATH.split(delimiter).filter(Boolean)
  return places.map((place) => join(place, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function isRecentServer(path: string | undefined): boolean {
  if (path === undefined || !isExecutable(path)) return false
  const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout ?? ''
  return Number(/v=(\d+)/.exec(version)?.[1] ?? 0) >= 6
}
