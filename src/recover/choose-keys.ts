import type { Config } from '../config/schema.js'
import { classesOf } from '../datasets/classes.js'
import { classifier } from '../decide/classes.js'
import { globTest } from '../decide/glob.js'

/** A choice of keys that counts what it leaves to the heal. */
export interface Choice {
  readonly select: (key: Buffer) => boolean
  /** Keys that were asked for, but that PostgreSQL gives back. */
  readonly leftToHeal: () => number
}

/**
 * Chooses the keys that match one of the patterns, or where there is none those whose class only a backup can bring back. What
 * PostgreSQL gives back is left to it: its rows are newer than any backup.
 */
export function chooseKeys(config: Config, patterns: readonly string[]): Choice {
  const classify = classifier(classesOf(config))
  const tests = patterns.map(globTest)
  let left = 0
  return {
    select: (bytes) => {
      const key = bytes.toString()
      const recovery = classify(key)?.recovery
      if (tests.length === 0) return recovery === 'backup'
      if (!tests.some((matches) => matches(key))) return false
      if (recovery !== 'postgres') return true
      left++
      return false
    },
    leftToHeal: () => left,
  }
}
