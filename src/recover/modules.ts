import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Manifest } from '../backup/manifest.js'

type Modules = Manifest['modules']

/** The name that a module gives itself -> its usual file. */
const FILES: Readonly<Record<string, string>> = {
  timeseries: 'redistimeseries.so',
  ReJSON: 'rejson.so',
  search: 'redisearch.so',
  bf: 'redisbloom.so',
}

/** The modules that we know where to look for. */
export const KNOWN_MODULES: Modules = Object.keys(FILES).map((name) => ({ name, version: 0 }))

const PLACES = ['/usr/local/lib/redis/modules', '/usr/lib/redis/modules', '/opt/redis-stack/lib']

/**
 * The files of the modules that a backup needs, where the backup's server had them or in the usual places. What is found nowhere is
 * left out: it may be built in, and otherwise the server itself says what it misses.
 */
export function moduleFiles(modules: Modules, program: string): string[] {
  const beside = dirname(realpathSync(program))
  const places = [...PLACES, join(beside, '../lib/redis/modules'), beside]
  return modules.flatMap(({ name, path }) => {
    const file = FILES[name] ?? `${name}.so`
    return [...(path ? [path] : []), ...places.map((place) => join(place, file))].find(existsSync) ?? []
  })
}
