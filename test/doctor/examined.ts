import { type Config, configSchema } from '../../src/config/schema.js'
import { type Diagnosis, examine } from '../../src/doctor/examine.js'
import { connectWire } from '../../src/redis/connect.js'
import type { Wire } from '../../src/redis/wire.js'

/** Classes as of the example of the configuration. */
export const KEYS = [
  { match: 'sub:user:*', recovery: 'backup', impact: 'users lose paid quota' },
  { match: 'ratelimit:*', recovery: 'itself' },
] as const

/** Classes of a pure cache: no key is at stake. */
export const CACHE = { keys: KEYS.filter(({ recovery }) => recovery === 'itself') }

/** A configuration for a Redis, with no backups but where `more` says so. */
export function doctorConfig(url: string, more: object = {}): Config {
  return configSchema.parse({ redis: { url }, keys: KEYS, backup: { dir: '/nowhere' }, ...more })
}

/** Does something over one connection, and closes it. */
export async function withWire<T>(url: string, act: (wire: Wire) => Promise<T>): Promise<T> {
  const wire = await connectWire(url, 'rekindle-test')
  try {
    return await act(wire)
  } finally {
    wire.close()
  }
}

/** What the doctor says of a Redis. */
export function examined(url: string, more: object = {}): Promise<Diagnosis> {
  return withWire(url, (wire) => examine(wire, doctorConfig(url, more)))
}

/** The codes of what it finds, those of notes in parentheses, without those about this very machine. */
export async function codesOf(url: string, more: object = {}): Promise<string[]> {
  const machine = new Set(['overcommit_off', 'fork_may_fail', 'fork_memory_short', 'maxmemory_none'])
  const { risks } = await examined(url, more)
  return risks
    .filter(({ code }) => !machine.has(code))
    .map(({ code, severity }) => (severity === 'risk' ? code : `(${code})`))
}
