import type { KeyCounts } from '../backup/manifest.js'
import type { Held } from './count-keys.js'

/**
 * How the keys that came out of a backup differ from those that its manifest counted, one sentence each. Keys with a time to live may
 * be gone by now; nothing may have been added.
 */
export function compareCounts(counted: KeyCounts, held: Held): string[] {
  const { total, expiring, databases, classes, functions = [] } = counted
  const names = new Set([...Object.keys(databases), ...held.databases.keys()])
  return [
    ...differs('in all', total, expiring, held.total),
    ...[...names].flatMap((name) =>
      differs(`in database ${name}`, databases[name] ?? 0, expiring, held.databases.get(name) ?? 0),
    ),
    // The first class with a pattern has all its keys, so that the next one with the same says nothing.
    ...[...new Map(classes.toReversed().map((each) => [each.match, each])).values()].flatMap(
      ({ match, keys, expiring }) =>
        differs(match === null ? 'of no class' : `of ${match}`, keys, expiring, held.classes.get(match) ?? 0),
    ),
    ...functions.flatMap((name) =>
      held.libraries.includes(name) ? [] : [`no function library ${name}, which the manifest names`],
    ),
  ]
}

function differs(which: string, counted: number, expiring: number, found: number): string[] {
  if (found <= counted && found >= counted - expiring) return []
  const fewest = expiring > 0 ? `${Math.max(0, counted - expiring)} to ${counted}` : counted
  return [`${found} keys ${which}, where the manifest says ${fewest}`]
}
