import { classifier, isOurs } from '../decide/classes.js'
import type { KeyClass } from '../model.js'
import type { KeyCounts } from './manifest.js'
import { readRdbKeys } from './rdb-keys.js'

interface Count {
  keys: number
  expiring: number
}

export interface CountOptions {
  readonly classes: readonly KeyClass[]
  /** The number of the database that the classes are about. */
  readonly database: number
  readonly signal?: AbortSignal
}

/**
 * Counts the keys of an RDB file, by database and class: every class is there, also one without keys, and last the keys of none.
 * Rejects as {@link readRdbKeys} does.
 */
export async function countKeys(path: string, { classes, database, signal }: CountOptions): Promise<KeyCounts> {
  const classify = classifier(classes)
  const databases: Record<string, number> = {}
  const counts = new Map<KeyClass | undefined, Count>(
    [...classes, undefined].map((each) => [each, { keys: 0, expiring: 0 }]),
  )
  let total = 0
  let expiring = 0
  const functions: string[] = []
  for await (const batch of readRdbKeys(path, signal, (library) => functions.push(library))) {
    for (const { key, db, expiresAt } of batch) {
      const expires = expiresAt === undefined ? 0 : 1
      total++
      expiring += expires
      databases[db] = (databases[db] ?? 0) + 1
      if (db !== database) continue
      const name = key.toString()
      if (isOurs(name)) continue
      const count = counts.get(classify(name))
      if (count) {
        count.keys++
        count.expiring += expires
      }
    }
  }
  return {
    total,
    expiring,
    databases,
    functions,
    classes: [...counts].map(([each, count]) => ({
      match: each?.match ?? null,
      recovery: each?.recovery ?? null,
      ...count,
    })),
  }
}
