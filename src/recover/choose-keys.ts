import type { Config } from '../config/schema.js'
import { classesOf } from '../datasets/classes.js'
import { classifier } from '../decide/classes.js'
import { globTest } from '../decide/glob.js'
import type { Recovery } from '../model.js'

/** A choice of keys. */
export interface Choice {
  readonly select: (key: Buffer) => boolean
  /** True for keys that were asked for, but that PostgreSQL gives back. */
  readonly isLeftToHeal: (key: Buffer) => boolean
  /** What would bring a key back by its class; undefined for one of no class. */
  readonly recoveryOf: (key: Buffer) => Recovery | undefined
}

/**
 * Chooses the keys that match one of the patterns, or where there is none those whose class only a backup can bring back. What
 * PostgreSQL gives back is left to it: its rows are newer than any backup.
 */
export function chooseKeys(config: Config, patterns: readonly string[]): Choice {
  const classify = classifier(classesOf(config))
  const tests = patterns.map(globTest)
  const isNamed = (key: string): boolean => tests.some((matches) => matches(key))
  return {
    select: (bytes) => {
      const key = bytes.toString()
      if (tests.length === 0) return classify(key)?.recovery === 'backup'
      return isNamed(key) && classify(key)?.recovery !== 'postgres'
    },
    isLeftToHeal: (bytes) => {
      const key = bytes.toString()
      return isNamed(key) && classify(key)?.recovery === 'postgres'
    },
    recoveryOf: (bytes) => classify(bytes.toString())?.recovery,
  }
}

/**
 * The classes to which keys may belong that {@link chooseKeys} chooses, by their patterns, '' for the keys of no class: more rather than
 * fewer, for whether two patterns have a key in common is told by how they begin.
 */
export function classesWanted(config: Config, patterns: readonly string[]): string[] {
  const classes = classesOf(config).filter(({ recovery }) => recovery !== 'postgres')
  if (patterns.length === 0) return classes.flatMap(({ match, recovery }) => (recovery === 'backup' ? [match] : []))
  const wanted = classes.filter(({ match }) => patterns.some((pattern) => mayMeet(match, pattern)))
  const isCovered = patterns.every((pattern) => classes.some(({ match }) => covers(match, pattern)))
  return [...wanted.map(({ match }) => match), ...(isCovered ? [] : [''])]
}

function mayMeet(one: string, other: string): boolean {
  const [a, b] = [beginning(one), beginning(other)]
  return a.startsWith(b) || b.startsWith(a)
}

/** True if every key of the pattern belongs to the class. */
function covers(match: string, pattern: string): boolean {
  const start = beginning(match)
  return match === pattern || (match === `${start}*` && beginning(pattern).startsWith(start))
}

/** What stands before the first sign that has a meaning of its own. */
function beginning(pattern: string): string {
  return /^[^*?[\\]*/.exec(pattern)?.[0] ?? ''
}
