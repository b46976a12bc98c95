import type { Backup } from '../backup/shelf.js'
import type { FunctionFacts } from '../decide/risks-facts.js'
import { encode, exchange, type Reply, type Wire } from '../redis/wire.js'
import { allowed, type Unchecked } from './facts.js'

export interface FunctionsRead {
  readonly libraries: readonly string[]
  readonly unchecked: readonly Unchecked[]
}

/** The names of the libraries of functions; none before Redis 7. */
export async function readFunctions(wire: Wire): Promise<FunctionsRead> {
  const [reply] = await exchange(wire, [encode('FUNCTION', 'LIST')])
  let refused: Unchecked | undefined
  const list = allowed(reply, '+function|list', (why, grant) => {
    // A server that does not know the command has none.
    if (grant !== '') refused = { what: 'libraries of functions', why, grant }
  })
  const libraries = Array.isArray(list) ? list.flatMap((library) => nameOf(library)) : []
  return { libraries, unchecked: refused ? [refused] : [] }
}

function nameOf(library: Reply): string[] {
  if (!Array.isArray(library)) return []
  return [String(library[library.indexOf('library_name') + 1])]
}

/** What would bring them back: the newest good backup, as far as its manifest tells what it holds. */
export function functionFacts(libraries: readonly string[], newest: Backup | undefined): FunctionFacts | undefined {
  if (libraries.length === 0) return undefined
  const held = newest?.manifest.keys?.functions
  const isTold = newest === undefined || held !== undefined
  return {
    libraries,
    missing: isTold ? libraries.filter((name) => !held?.includes(name)) : undefined,
    takenAt: newest && Date.parse(newest.manifest.taken_at),
  }
}
