/** Findings about the classes of keys: one that has vanished, and one that no key can be of. */

import type { KeyClass, Risk } from '../model.js'
import { globTest } from './glob.js'
import type { RiskFacts, Shadowed } from './risks-facts.js'
import { sayCount, saySpan } from './risks-words.js'
import { shellQuote } from './shell-quote.js'

export function* classRisks({ at, gone = [], shadowed = [] }: RiskFacts): Generator<Risk> {
  if (gone.length > 0) {
    const each = gone.map(({ match, impact, keys, takenAt }) => {
      const means = impact === undefined ? '' : ` (${impact})`
      return `no key of ${match} is there${means}, though the backup taken ${saySpan(at - takenAt)} ago holds ${sayCount(keys, 'key')}`
    })
    yield {
      code: 'class_gone',
      severity: 'risk',
      message: `${sentence(each.join('; '))}.`,
      mend: `rekindle recover ${gone.map(({ match }) => `--match ${shellQuote(match)}`).join(' ')}; or, if they went on purpose, rekindle backup`,
    }
  }
  if (shadowed.length > 0) {
    const each = shadowed.map(({ earlier, later }) => `${later.match} never counts: ${earlier.match} is before it`)
    yield {
      code: 'class_shadowed',
      severity: 'note',
      message: `${each.join('; ')}, and the first class that matches a key is its class.`,
      mend: 'under keys, put the narrower pattern before the broader one, or leave it out',
    }
  }
}

/**
 * The classes that never count, of classes in the order in which they do: those whose every key an earlier one matches, as far as two
 * keys made of the pattern tell. One that says the same as the earlier is none.
 */
export function shadowedClasses(classes: readonly KeyClass[]): Shadowed[] {
  const tests = classes.map(({ match }) => globTest(match))
  return classes.flatMap((later, i): Shadowed[] => {
    const keys = examples(later.match)
    const first = classes.findIndex(
      (each, n) => n < i && (each.match === later.match || keys.every((key) => tests[n]?.(key))),
    )
    const earlier = classes[first]
    if (!earlier) return []
    const saysMore =
      earlier.recovery !== later.recovery || (later.impact !== undefined && later.impact !== earlier.impact)
    return saysMore ? [{ earlier, later }] : []
  })
}

/** Two keys that a pattern matches, with as little and with as much in its places as one needs to tell patterns apart. */
function examples(pattern: string): string[] {
  const filled = (many: string): string =>
    pattern.replace(
      /\\(.)|[*?]/gs,
      (place, literal: string | undefined) => literal ?? (place === '*' ? many : '\u0001'),
    )
  return [filled(''), filled('\u0001\u0002\u0003')]
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
