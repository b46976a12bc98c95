import { readRdbKeys, UnknownRdb } from './rdb-keys.js'

/** False only for a snapshot that surely is without keys. Rejects for a file that is broken before its first key. */
export async function holdsKeys(path: string): Promise<boolean> {
  try {
    for await (const keys of readRdbKeys(path)) return keys.length > 0
    return false
  } catch (error) {
    if (error instanceof UnknownRdb) return true
    throw error
  }
}
