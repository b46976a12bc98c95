/** Turns what zod found into the one error that is told: the first in the file. */

import { closestMatch } from 'leven'
import type { z } from 'zod'
import type { ConfigError } from '../errors.js'
import { configError, dotted, wrongValue } from './problem.js'

/** Where the key at a path was written. */
export interface Origin {
  /** The file or the environment variable. */
  sourceOf(path: readonly string[]): string
  /** Grows through the file; Infinity for what the file does not hold. */
  positionOf(path: readonly string[]): number
}

interface Mistake {
  position: number
  error: ConfigError
}

/** The error for the mistake that stands first in the file; `defaults` is a whole configuration and tells the known keys. */
export function firstError(issues: z.core.$ZodIssue[], origin: Origin, defaults: object): ConfigError {
  const mistakes = issues.flatMap((issue) => mistakesOf(issue, [], origin, defaults))
  return mistakes.reduce((first, each) => (each.position < first.position ? each : first)).error
}

function mistakesOf(issue: z.core.$ZodIssue, base: string[], origin: Origin, defaults: object): Mistake[] {
  const path = [...base, ...issue.path.map(String)]
  if (issue.code === 'invalid_union') {
    // `false` or a mapping: what is wrong inside the mapping says more.
    return (issue.errors.at(-1) ?? []).flatMap((inner) => mistakesOf(inner, path, origin, defaults))
  }
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      position: origin.positionOf([...path, key]),
      error: unknownKey(origin.sourceOf(path), path, key, keyPaths(defaults), issue.message),
    }))
  }
  const message = (issue.code === 'invalid_key' && issue.issues[0]?.message) || issue.message
  const error = wrongValue(origin.sourceOf(path), path, issue.input, message)
  return [{ position: origin.positionOf(path), error }]
}

/** Guesses a slip of the finger first, then a right key in the wrong section, then whatever is least unlike. */
function unknownKey(source: string, path: string[], key: string, known: string[][], message: string): ConfigError {
  const isHere = (each: string[]) =>
    each.length === path.length + 1 && path.every((name, depth) => each[depth] === name)
  const names = known.filter(isHere).map((each) => each.at(-1) ?? '')
  const slip = closestMatch(key.toLowerCase(), names, { maxDistance: 2 })
  // In a list, and in a mapping whose names are the user's own, the defaults know nothing.
  if (names.length === 0) return configError(source, dotted([...path, key]), message)
  const elsewhere = known.find((each) => each.at(-1) === key)
  const guess = (slip === undefined && elsewhere) || [...path, slip ?? closestMatch(key, names) ?? '']
  return configError(source, dotted([...path, key]), `unknown key; did you mean ${dotted(guess)}?`)
}

/** Every key that may be written, with its sections; the names of timeframes are the user's own. */
function keyPaths(value: object, base: string[] = []): string[][] {
  return Object.entries(value).flatMap(([name, inner]) => {
    const path = [...base, name]
    return typeof inner === 'object' && name !== 'timeframes' ? [path, ...keyPaths(inner, path)] : [path]
  })
}
