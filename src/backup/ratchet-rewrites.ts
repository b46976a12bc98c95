import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ifThere } from './files.js'
import type { Ask } from './ratchet-folder.js'
import { KEPT } from './ratchet-kept.js'
import { rewritesAreOff } from './ratchet-trouble.js'

const SETTING = 'auto-aof-rewrite-percentage'
/** Holds the value while it is 0, should we be ended meanwhile. */
const MARKER = 'rewrites-are-off.txt'

/**
 * Does something while Redis begins no rewrite of its append-only file by itself; it is begun at once, not when Redis has answered.
 * Without permission for CONFIG SET it is just done. Rejects with a Trouble if the setting could not be set back.
 */
export async function withoutRewrites<T>(ask: Ask, dir: string, act: () => Promise<T>): Promise<T> {
  const marker = join(dir, KEPT, MARKER)
  const turning = turnOff(ask, marker)
  let before: string | undefined
  try {
    return await act()
  } finally {
    before = await turning
    if (before !== undefined) await turnOn(ask, marker, before)
  }
}

/** Sets back what could not be set back before, by us or by an earlier process. */
export async function endForgottenPause(ask: Ask, dir: string): Promise<void> {
  const marker = join(dir, KEPT, MARKER)
  const before = await ifThere(readFile(marker, 'utf8'))
  if (before === undefined) return
  if (/^\d+$/.test(before) && (await read(ask)) === '0') await turnOn(ask, marker, before)
  else await rm(marker, { force: true })
}

/** The value before, if it had to be changed and could be: what a rewrite takes away otherwise is linked anew. */
async function turnOff(ask: Ask, marker: string): Promise<string | undefined> {
  // Where it may not be asked, it may not be set either.
  const before = await read(ask).catch(() => undefined)
  if (before === undefined || before === '0') return undefined
  try {
    await writeFile(marker, before, { mode: 0o600 })
    await ask('CONFIG', 'SET', SETTING, 0)
    return before
  } catch (error) {
    // Without an answer it may be off nevertheless: then the marker stays, and it is set back later.
    const { name, path } = error as NodeJS.ErrnoException
    if (name === 'ReplyError' || path !== undefined) await rm(marker, { force: true })
    return undefined
  }
}

async function turnOn(ask: Ask, marker: string, before: string): Promise<void> {
  try {
    await ask('CONFIG', 'SET', SETTING, before)
    await rm(marker, { force: true })
  } catch (error) {
    throw rewritesAreOff(before, error)
  }
}

async function read(ask: Ask): Promise<string | undefined> {
  const reply = await ask('CONFIG', 'GET', SETTING)
  return Array.isArray(reply) && reply.length === 2 ? String(reply[1]) : undefined
}
