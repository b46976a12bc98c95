/** How values lie in an RDB, from rdb.h and rdb.c of Redis 6.2, 7.0 and 8.0: just enough to find where each ends. */

import { CorruptRdb, type RdbBytes, UnknownRdb } from './rdb-bytes.js'

type Skip = (bytes: RdbBytes) => void | Promise<void>

const oneString: Skip = (bytes) => bytes.skipString()

/** By the number of the type in the file. */
const TYPES: ReadonlyMap<number, { readonly name: string; readonly passOver: Skip }> = new Map([
  [0, { name: 'string', passOver: oneString }],
  [1, { name: 'list', passOver: strings(1) }],
  [2, { name: 'set', passOver: strings(1) }],
  [3, { name: 'zset', passOver: zsetWithTextScores }],
  [4, { name: 'hash', passOver: strings(2) }],
  [5, { name: 'zset', passOver: strings(1, 8) }],
  [7, { name: 'module', passOver: moduleValue }],
  [9, { name: 'hash', passOver: oneString }],
  [10, { name: 'list', passOver: oneString }],
  [11, { name: 'set', passOver: oneString }],
  [12, { name: 'zset', passOver: oneString }],
  [13, { name: 'hash', passOver: oneString }],
  [14, { name: 'list', passOver: strings(1) }],
  [15, { name: 'stream', passOver: stream(1) }],
  [16, { name: 'hash', passOver: oneString }],
  [17, { name: 'zset', passOver: oneString }],
  [18, { name: 'list', passOver: quicklist }],
  [19, { name: 'stream', passOver: stream(2) }],
  [20, { name: 'set', passOver: oneString }],
  [21, { name: 'stream', passOver: stream(3) }],
  [22, { name: 'hash', passOver: hashWithExpiries }],
  [23, { name: 'hash', passOver: oneString }],
  [24, { name: 'hash', passOver: afterExpiry(hashWithExpiries) }],
  [25, { name: 'hash', passOver: afterExpiry(oneString) }],
])

/** What a key of this type is called by TYPE, but `module` for those of modules. Throws UnknownRdb for what is no type of ours. */
export function typeName(type: number): string {
  const known = TYPES.get(type)
  if (!known) throw new UnknownRdb(`type ${type} is newer than Rekindle`)
  return known.name
}

/** Skips a value; a promise only where it is made of many parts. Throws or rejects with CorruptRdb or UnknownRdb. */
export function skipValue(bytes: RdbBytes, type: number): void | Promise<void> {
  return TYPES.get(type)?.passOver(bytes)
}

/** A count, and as many times so many strings and then so many bytes. */
function strings(each: number, tail = 0): Skip {
  return async (bytes) => {
    const count = bytes.length() * each
    for (let i = 0; i < count; i++) {
      if (bytes.isShort) await bytes.fill()
      bytes.skipString()
      bytes.advance(tail)
    }
  }
}

/** Up to Redis 3.2: a score is a length of one byte and a text, where the three largest lengths stand for nan and the infinities. */
async function zsetWithTextScores(bytes: RdbBytes): Promise<void> {
  const count = bytes.length()
  for (let i = 0; i < count; i++) {
    if (bytes.isShort) await bytes.fill()
    bytes.skipString()
    if (bytes.isShort) await bytes.fill()
    const length = bytes.byte()
    if (length < 253) bytes.advance(length)
  }
}

async function quicklist(bytes: RdbBytes): Promise<void> {
  const nodes = bytes.length()
  for (let i = 0; i < nodes; i++) {
    if (bytes.isShort) await bytes.fill()
    bytes.length()
    bytes.skipString()
  }
}

async function hashWithExpiries(bytes: RdbBytes): Promise<void> {
  const fields = bytes.length()
  for (let i = 0; i < fields; i++) {
    if (bytes.isShort) await bytes.fill()
    bytes.length()
    bytes.skipString()
    if (bytes.isShort) await bytes.fill()
    bytes.skipString()
  }
}

/** The earliest expiry of a field, and then the hash. */
function afterExpiry(skip: Skip): Skip {
  return (bytes) => {
    bytes.advance(8)
    return skip(bytes)
  }
}

/** Parts that say what they are, up to an end: readable without the module. */
export async function moduleParts(bytes: RdbBytes): Promise<void> {
  for (;;) {
    if (bytes.isShort) await bytes.fill()
    const part = bytes.length()
    if (part === 0) return
    if (part === 1 || part === 2) bytes.length()
    else if (part === 3) bytes.advance(4)
    else if (part === 4) bytes.advance(8)
    else if (part === 5) bytes.skipString()
    else throw new CorruptRdb(`a value of a module holds a part of kind ${part} at byte ${bytes.offset}`)
  }
}

function moduleValue(bytes: RdbBytes): Promise<void> {
  // The name and version of the type.
  bytes.length()
  return moduleParts(bytes)
}

/** Ids are 16 bytes, times 8; what the second and third version add is marked. */
function stream(version: 1 | 2 | 3): Skip {
  return async (bytes) => {
    await strings(2)(bytes)
    if (bytes.isShort) await bytes.fill()
    // Length and last id; since 2 the first id, the highest deleted one, and how many were ever added.
    skipLengths(bytes, version >= 2 ? 8 : 3)
    const groups = bytes.length()
    for (let i = 0; i < groups; i++) await streamGroup(bytes, version)
  }
}

async function streamGroup(bytes: RdbBytes, version: number): Promise<void> {
  if (bytes.isShort) await bytes.fill()
  bytes.skipString()
  if (bytes.isShort) await bytes.fill()
  // The last id delivered; since 2 how many entries were read.
  skipLengths(bytes, version >= 2 ? 3 : 2)
  const pending = bytes.length()
  for (let i = 0; i < pending; i++) {
    if (bytes.isShort) await bytes.fill()
    // Id and time of delivery, and how often.
    bytes.advance(24)
    bytes.length()
  }
  if (bytes.isShort) await bytes.fill()
  const consumers = bytes.length()
  for (let i = 0; i < consumers; i++) {
    if (bytes.isShort) await bytes.fill()
    bytes.skipString()
    // When it was last seen; since 3 when it was last active.
    bytes.advance(version >= 3 ? 16 : 8)
    if (bytes.isShort) await bytes.fill()
    bytes.advance(bytes.length() * 16)
  }
}

function skipLengths(bytes: RdbBytes, count: number): void {
  for (let i = 0; i < count; i++) bytes.length()
}
