import type { KeyClass } from '../model.js'
import { globTest } from './glob.js'

/** Finds the class of a key: undefined for one of which nobody has said anything. */
export type Classify = (key: string) => KeyClass | undefined

/**
 * The first class that matches a key. Classes of the datasets come first: what PostgreSQL gives back is `postgres`, whatever a
 * broader pattern of the user's says. Keys of Rekindle's own belong to no class; leave them out by {@link isOurs}.
 */
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

/** True for the keys that Rekindle writes itself: marks, and what it has moved aside. */
export function isOurs(key: string): boolean {
  return key.startsWith('rekindle:')
}
