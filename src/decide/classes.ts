import type { KeyClass } from '../model.js'
import { globTest } from './glob.js'

/** Finds the class of a key: undefined for one of which nobody has said anything. */
export type Classify = (key: string) => KeyClass | undefined

/** The first class that matches a key. Keys of Rekindle's own belong to no class; leave them out by {@link isOurs}. */
export function classifier(classes: readonly KeyClass[]): Classify {
  const tests = classes.map((each) => ({ each, matches: globTest(each.match) }))
  return (key) => tests.find(({ matches }) => matches(key))?.each
}

/** The class of the keys that a template renders: placeholders become `*`, and all else is meant literally. */
export function templateClass(template: string): KeyClass {
  const match = template
    .split(/\{[^{}]*\}/)
    .map((text) => text.replace(/[*?[\]\\]/g, '\\$&'))
    .join('*')
  return { match, recovery: 'postgres' }
}

/**
 * The user's classes with those of the datasets among them, in the order in which they count. The keys of a dataset are `postgres` by
 * themselves, but what the user says of them as precisely, or more so, counts: PostgreSQL may hold only a part of such a key.
 */
export function ranked(own: readonly KeyClass[], ofDatasets: readonly KeyClass[]): KeyClass[] {
  const classes = [...own]
  for (const each of ofDatasets) {
    const at = classes.findIndex((other) => precision(other) < precision(each))
    classes.splice(at < 0 ? classes.length : at, 0, each)
  }
  return classes
}

/** How many letters a pattern fixes. */
function precision({ match }: KeyClass): number {
  return match.replace(/\\(.)/g, '$1').replace(/\[[^\]]*\]|[*?]/g, '').length
}

/** True for the keys that Rekindle writes itself: marks, and what it has moved aside. */
export function isOurs(key: string): boolean {
  return key.startsWith('rekindle:')
}
