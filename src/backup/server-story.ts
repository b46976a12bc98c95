import { serverName } from '../config/redact.js'
import { parseInfo } from '../decide/info.js'
import { connectWire } from '../redis/connect.js'
import { redisTrouble } from '../redis/trouble.js'
import { ask, type Reply, type Wire } from '../redis/wire.js'
import type { Manifest } from './manifest.js'

/** What a manifest tells of the server, as far as the server lets us know. */
export interface ServerStory {
  readonly source: string
  readonly database: number
  readonly info: ReadonlyMap<string, string>
  readonly modules: Manifest['modules']
  /** False where MODULE LIST is withheld. */
  readonly areModulesKnown: boolean
  /** What could not be found out, for the user. */
  readonly warnings: readonly string[]
}

/** Asks a server about itself over a connection of its own. Rejects with a Trouble. */
export async function readStory(url: string): Promise<ServerStory> {
  return withServer(url, async (wire) => {
    const info = await ask(wire, 'INFO').catch(unlessRefused)
    const list = await ask(wire, 'MODULE', 'LIST').catch(unlessRefused)
    const unknown = [...(info === undefined ? ['INFO'] : []), ...(list === undefined ? ['MODULE LIST'] : [])]
    return {
      source: serverName(url).replace(/\/[^/]*$/, ''),
      database: wire.database,
      info: parseInfo(String(info ?? '')),
      modules: (Array.isArray(list) ? list : []).map(readModule),
      areModulesKnown: list !== undefined,
      warnings: unknown.map((command) => `the manifest lacks what ${command} tells: grant it to the user of redis.url`),
    }
  })
}

/** Works with a connection and closes it. Rejects with a Trouble. */
export async function withServer<T>(url: string, work: (wire: Wire) => Promise<T>): Promise<T> {
  let wire: Wire | undefined
  try {
    wire = await connectWire(url, 'rekindle-backup')
    return await work(wire)
  } catch (error) {
    throw redisTrouble(error, serverName(url))
  } finally {
    wire?.close()
  }
}

/** What an ACL or a provider withholds stays unknown. */
export function unlessRefused(error: Error): undefined {
  if (!/^NOPERM|unknown command/i.test(error.message)) throw error
}

/** A list of names and values; `path` since Redis 7. */
function readModule(reply: Reply): Manifest['modules'][number] {
  const list = Array.isArray(reply) ? reply : []
  const pick = (name: string): Reply | undefined => {
    const at = list.findIndex((each, i) => i % 2 === 0 && each === name)
    return at < 0 ? undefined : list[at + 1]
  }
  const path = pick('path')
  return {
    name: String(pick('name') ?? ''),
    version: Number(pick('ver') ?? 0),
    ...(typeof path === 'string' && path !== '' && { path }),
  }
}

/** A number in INFO. */
export function infoNumber(info: ReadonlyMap<string, string>, name: string): number | undefined {
  const value = Number(info.get(name) ?? Number.NaN)
  return Number.isFinite(value) ? value : undefined
}
