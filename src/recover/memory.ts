import { readFile } from 'node:fs/promises'
import { Trouble } from '../errors.js'

/** What may be allocated without anything being pushed out, in bytes; undefined where the system does not tell. */
async function availableMemory(): Promise<number | undefined> {
  // Then nobody is refused: a system that kills what is too large says so itself.
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '')
  const free = /^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1]
  if (free === undefined) return undefined
  // A container may have less than its host; 0 where it has not.
  const limit = process.constrainedMemory()
  return Math.min(Number(free) * 1024, limit > 0 ? limit : Number.POSITIVE_INFINITY)
}

/** Rejects with a Trouble if a server that needs so many bytes would push others, such as the Redis to be rescued, out of memory. */
export async function checkMemory(needed: number): Promise<void> {
  const available = await availableMemory()
  if (available === undefined || needed <= available) return
  throw new Trouble(
    'no_memory',
    `to boot this backup takes ${megabytes(needed)} of memory, and ${megabytes(available)} are free`,
    'free memory, or do it on another machine; no data was touched',
    true,
  )
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_048_576).toLocaleString('en-US')} MiB`
}
