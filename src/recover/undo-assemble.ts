import { createReadStream, createWriteStream } from 'node:fs'
import { copyFile, link, mkdir, stat, statfs, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Cut } from '../decide/undo.js'
import { Trouble } from '../errors.js'
import { type AofFile, formatAofManifest } from './aof-files.js'
import type { Reading } from './aof-reader.js'
import type { UndoAof } from './undo-sources.js'

const FOLDER = 'appendonlydir'

/**
 * Makes an append-only file that ends before a flush, in an empty folder, which a server can then be started in. What is whole is
 * linked, and copied only where it cannot be; what is cut is copied up to the cut. The files it is made from are never written to.
 * Rejects with a Trouble if there is too little space, and with the error of the file system.
 */
export async function assembleAof({ files, name }: UndoAof, cut: Cut, dir: string, reading: Reading): Promise<void> {
  const home = join(dir, FOLDER)
  await mkdir(home, { recursive: true, mode: 0o700 })
  const used = files.slice(0, cut.file + 1)
  const last = used.at(-1)
  if (!last) return
  await insistOnSpace(dir, cut.offset)
  for (const file of used.slice(0, -1)) await linkOrCopy(file, join(home, partName(file, name)))
  await copyUpTo(last.path, cut.offset, join(home, partName(last, name)), reading)
  const parts = used.map((file) => ({ ...file, path: partName(file, name) }))
  await writeFile(join(home, `${name}.manifest`), formatAofManifest(parts), { mode: 0o600 })
}

/** The name of a part, whatever it was called where it was linked. */
function partName({ path, type, seq }: AofFile, name: string): string {
  const format = type === 'base' && basename(path).endsWith('.rdb') ? 'rdb' : 'aof'
  return `${name}.${seq}.${type}.${format}`
}

async function linkOrCopy({ path }: AofFile, to: string): Promise<void> {
  try {
    await link(path, to)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (!/^(EXDEV|EPERM|EACCES|EMLINK|ENOTSUP)$/.test(code)) throw error
    const { size } = await stat(path)
    await insistOnSpace(join(to, '..'), size)
    await copyFile(path, to)
  }
}

async function copyUpTo(path: string, bytes: number, to: string, { signal, onProgress }: Reading): Promise<void> {
  const pieces = bytes > 0 ? createReadStream(path, { end: bytes - 1, highWaterMark: 1 << 20 }) : []
  async function* copied(): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      signal?.throwIfAborted()
      onProgress?.((piece as Buffer).length)
      yield piece as Buffer
    }
  }
  await pipeline(copied, createWriteStream(to, { flags: 'wx', mode: 0o600 }))
}

async function insistOnSpace(dir: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir)
  if (bavail * bsize > bytes) return
  throw new Trouble(
    'no_space',
    `${dir}: to rebuild the moment before the flush takes ${Math.ceil(bytes / 1_048_576)} MiB, and less is free`,
    'free some space there; nothing was touched',
    true,
  )
}
