import { existsSync, readFileSync } from 'node:fs'
import { describe, inject } from 'vitest'

/** A suite that starts servers by itself, skipped where the tests were given a Redis of the user's own. */
export function describeOwnServers(name: string, suite: () => void): void {
  describe.skipIf(inject('borrowedRedisUrl') !== '')(name, suite)
}

/** Whether a process with this id runs; one that has ended and only waits for its parent to notice does not. */
export function isAlive(pid: number): boolean {
  const status = `/proc/${pid}/stat`
  try {
    process.kill(pid, 0)
    return !existsSync(status) || !readFileSync(status, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}
