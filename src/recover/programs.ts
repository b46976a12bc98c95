import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { Trouble } from '../errors.js'

/** Valkey reads the files of Redis up to 7.2, so it will do where it is all there is. */
const SERVERS = ['redis-server', 'valkey-server']

/** The full name of a program on PATH, or undefined. */
export function findProgram(name: string): string | undefined {
  const { PATH = '' } = process.env
  return PATH.split(delimiter)
    .filter(Boolean)
    .map((dir) => join(dir, name))
    .find(isExecutable)
}

/** The redis-server that boots backups; throws a Trouble if there is none. */
export function serverProgram(): string {
  for (const name of SERVERS) {
    const path = findProgram(name)
    if (path) return path
  }
  throw new Trouble(
    'no_program',
    'redis-server is not on PATH, and only it can read a backup',
    'install it here (Debian: apt-get install redis-server), not older than the Redis of the backup',
    false,
  )
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // That is the answer; who finds none in any place says so.
    return false
  }
}
