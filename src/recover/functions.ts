import type { Redis } from 'ioredis'
import { Trouble } from '../errors.js'
import { connectRedis } from '../redis/connect.js'

/** A library of functions, as FUNCTION LOAD takes it. */
export interface Library {
  readonly name: string
  readonly code: Buffer
}

/** What became of libraries, by name. */
export interface BroughtFunctions {
  /** Loaded, or that would have been. */
  readonly loaded: readonly string[]
  /** The live Redis has one of that name, and it was left as it is. */
  readonly kept: readonly string[]
  /** Refused by the live Redis, and why. */
  readonly failed: readonly { readonly name: string; readonly message: string }[]
}

/** What to say of those that the live Redis refused. */
export function functionTrouble({ failed }: BroughtFunctions): Trouble | undefined {
  const [first] = failed
  if (!first) return undefined
  const what = `${sayLibraries(failed.map(({ name }) => name))} could not be loaded: ${first.message}`
  const hint =
    'let the user of redis.url load functions (ACL SETUSER … +function|list +function|load), or load them by hand'
  return new Trouble('redis_refused', what, hint, false)
}

/** `1 function library (mylib)`. */
export function sayLibraries(names: readonly string[]): string {
  const what = names.length === 1 ? '1 function library' : `${names.length} function libraries`
  return `${what} (${names.join(', ')})`
}

export const NO_FUNCTIONS: BroughtFunctions = { loaded: [], kept: [], failed: [] }

export interface FunctionOptions {
  /** The URL of the live Redis. */
  readonly to: string
  /** Load them over those of the same name. */
  readonly replace: boolean
  /** Load nothing. */
  readonly dryRun: boolean
  /** Only where the live Redis has no library at all: what somebody has taken away on purpose stays away. */
  readonly onlyIfNone?: boolean
}

/** The libraries of a server: none where it knows no functions, as before Redis 7, or does not tell. */
export async function readLibraries(redis: Redis): Promise<Library[]> {
  const reply = (await redis.callBuffer('FUNCTION', 'LIST', 'WITHCODE').catch(unlessUnknown)) as unknown[][]
  return reply.map((library) => ({
    name: String(fieldOf(library, 'library_name')),
    code: fieldOf(library, 'library_code') as Buffer,
  }))
}

/** Loads libraries into the live Redis, each by itself: what it refuses of one says nothing of the others. Rejects if it is gone. */
export async function bringFunctions(
  libraries: readonly Library[],
  { to, replace, dryRun, onlyIfNone = false }: FunctionOptions,
): Promise<BroughtFunctions> {
  if (libraries.length === 0) return NO_FUNCTIONS
  const redis = await connectRedis(to, 'rekindle-functions')
  try {
    const here = await namesOf(redis)
    if (onlyIfNone && here?.size !== 0) return NO_FUNCTIONS
    const [loaded, kept, failed]: [string[], string[], { name: string; message: string }[]] = [[], [], []]
    for (const { name, code } of libraries) {
      if (here?.has(name) && !replace) kept.push(name)
      else if (dryRun) loaded.push(name)
      else {
        const message = await load(redis, code, replace)
        if (message === undefined) loaded.push(name)
        else if (/already exists/i.test(message) && message.includes(`'${name}'`)) kept.push(name)
        else failed.push({ name, message })
      }
    }
    return { loaded, kept, failed }
  } finally {
    redis.disconnect()
  }
}

/** The names of those that the live Redis lacks; none where it does not tell. */
export async function absentLibraries(libraries: readonly Library[], to: string): Promise<string[]> {
  if (libraries.length === 0) return []
  const redis = await connectRedis(to, 'rekindle-functions')
  try {
    const here = await namesOf(redis)
    return here ? libraries.flatMap(({ name }) => (here.has(name) ? [] : [name])) : []
  } finally {
    redis.disconnect()
  }
}

/** Undefined if it was loaded, else what Redis said. */
async function load(redis: Redis, code: Buffer, replace: boolean): Promise<string | undefined> {
  try {
    await redis.call('FUNCTION', 'LOAD', ...(replace ? ['REPLACE'] : []), code)
    return undefined
  } catch (error) {
    if (isReply(error)) return error.message
    throw error
  }
}

/** Undefined where we may not ask. */
async function namesOf(redis: Redis): Promise<ReadonlySet<string> | undefined> {
  try {
    const reply = (await redis.call('FUNCTION', 'LIST')) as unknown[][]
    return new Set(reply.map((library) => String(fieldOf(library, 'library_name'))))
  } catch (error) {
    if (isReply(error)) return undefined
    throw error
  }
}

/** Of a map as RESP2 gives it: names and values by turns. */
function fieldOf(map: readonly unknown[], name: string): unknown {
  return map[map.findIndex((word, i) => i % 2 === 0 && String(word) === name) + 1]
}

function unlessUnknown(error: unknown): unknown[] {
  if (isReply(error) && /unknown (sub)?command/i.test(error.message)) return []
  throw error
}

function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}
