import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { findAofPlace } from '../../src/recover/find-aof.js'

/** A user who may do nothing that was not allowed to all. */
const SOMEBODY = 65_534

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rekindle-find-aof-'))
  chmodSync(dir, 0o755)
  // Root reads everything.
  if (process.getuid?.() === 0) process.seteuid?.(SOMEBODY)
})
afterEach(() => {
  if (process.getuid?.() === 0) process.seteuid?.(0)
  rmSync(dir, { recursive: true, force: true })
})

/** Makes a folder that is not ours; without files it may not be read. */
function make(name: string, files?: readonly string[]): void {
  const path = join(dir, name)
  if (process.getuid?.() === 0) process.seteuid?.(0)
  mkdirSync(path)
  for (const file of files ?? []) writeFileSync(join(path, file), '')
  chmodSync(path, files ? 0o755 : 0)
  if (process.getuid?.() === 0) process.seteuid?.(SOMEBODY)
}

it('a folder of the usual name that cannot be read is not taken for none', async () => {
  make('appendonlydir')
  await expect(findAofPlace(dir)).rejects.toMatchObject({ code: 'EACCES' })
})

it('what is closed to us beside it is not that of Redis', async () => {
  make('lost+found')
  expect(await findAofPlace(dir)).toBeUndefined()
  make('aof', ['a.aof.manifest'])
  expect(await findAofPlace(dir)).toEqual({ dir, folder: 'aof', name: 'a.aof' })
})
