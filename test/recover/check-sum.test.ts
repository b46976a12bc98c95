import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { hashAof } from '../../src/backup/aof-copy.js'
import { hashFile } from '../../src/backup/hash.js'
import { checkSum } from '../../src/recover/check-sum.js'
import { makeFolder } from './folders.js'

const { signal } = new AbortController()

it('reads a file, tells how far it is, and refuses one that is not what was taken', async () => {
  const path = join(makeFolder(), 'a.rdb')
  writeFileSync(path, Buffer.alloc(3_000_000, 'x'))
  const backup = { path, manifest: { kind: 'rdb' as const, sha256: await hashFile(path) } }
  const shares: number[] = []
  await checkSum(backup, { signal, onProgress: (share) => shares.push(share) })
  expect(shares.length).toBeGreaterThan(1)
  expect(shares.at(-1)).toBe(1)
  appendFileSync(path, 'x')
  await expect(checkSum(backup, { signal })).rejects.toMatchObject({ code: 'bad_backup' })
  await checkSum({ path, manifest: undefined }, { signal })
  rmSync(path)
  await expect(checkSum(backup, { signal })).rejects.toMatchObject({ message: `${path}: it does not exist` })
})

it('reads a folder, each name of it', async () => {
  const path = makeFolder()
  mkdirSync(join(path, 'appendonlydir'))
  for (const name of ['base', 'incr', 'manifest']) writeFileSync(join(path, 'appendonlydir', name), name)
  const backup = { path, manifest: { kind: 'aof' as const, sha256: await hashAof(path) } }
  const shares: number[] = []
  await checkSum(backup, { signal, onProgress: (share) => shares.push(share) })
  expect(shares).toHaveLength(3)
  rmSync(join(path, 'appendonlydir', 'manifest'))
  await expect(checkSum(backup, { signal })).rejects.toMatchObject({ code: 'bad_backup' })
})

it('ends when it is asked to', async () => {
  const path = join(makeFolder(), 'a.rdb')
  writeFileSync(path, Buffer.alloc(3_000_000, 'x'))
  const stop = new AbortController()
  const checking = checkSum(
    { path, manifest: { kind: 'rdb', sha256: '' } },
    { signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) },
  )
  await expect(checking).rejects.toThrow('enough')
})
