import { describe, inject } from 'vitest'

/** A suite that starts servers by itself, skipped where the tests were given a Redis of the user's own. */
export function describeOwnServers(name: string, suite: () => void): void {
  describe.skipIf(inject('borrowedRedisUrl') !== '')(name, suite)
}

/** Whether a process with this id runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
