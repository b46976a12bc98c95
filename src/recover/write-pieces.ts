import { createHash } from 'node:crypto'
import { constants, createReadStream, createWriteStream } from 'node:fs'
import { chmod, chown, copyFile, mkdir, open, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ifThere, syncFolder } from '../backup/files.js'
import { ownUnfinishedName } from './dead-attempts.js'
import type { Piece } from './layout.js'
import type { Ready } from './put-in-place.js'

export interface WriteOptions {
  readonly signal: AbortSignal
  /** Told the bytes that were copied. */
  readonly onBytes: (bytes: number) => void
}

/** What was written, each file or folder under an unfinished name, and the sha256 of each source, in hex. */
export interface Written {
  readonly ready: readonly Ready[]
  readonly hashes: ReadonlyMap<string, string>
}

/**
 * Writes pieces into a directory, synced, with the owner of the directory and the mode of what stands there, or for nobody else.
 * Leaves nothing behind if it rejects: with the error of the file system, or with the signal's reason.
 */
export async function writePieces(dir: string, pieces: readonly Piece[], options: WriteOptions): Promise<Written> {
  const tops = new Map<string, Ready>()
  const hashes = new Map<string, string>()
  try {
    for (const piece of pieces) {
      const top = piece.path.split('/')[0] ?? piece.path
      const path = join(dir, top)
      const ready = tops.get(top) ?? { path, unfinished: ownUnfinishedName(path) }
      tops.set(top, ready)
      const isInFolder = dirname(piece.path) !== '.'
      if (isInFolder) await makeFolder(ready)
      const to = isInFolder ? join(ready.unfinished, basename(piece.path)) : ready.unfinished
      await writePiece(to, piece, hashes, options)
      await adopt(dir, to, join(dir, piece.path), 0o600)
      await syncFile(to)
      if (isInFolder) await syncFolder(ready.unfinished)
    }
    return { ready: [...tops.values()], hashes }
  } catch (error) {
    for (const { unfinished } of tops.values()) await rm(unfinished, { recursive: true, force: true })
    throw error
  }
}

async function makeFolder({ unfinished, path }: Ready): Promise<void> {
  if (await mkdir(unfinished, { recursive: true, mode: 0o700 })) await adopt(dirname(path), unfinished, path, 0o700)
}

/** The first copy of a source is read through our hands, and the next ones may share its blocks. */
async function writePiece(
  to: string,
  { from, text = '' }: Piece,
  hashes: Map<string, string>,
  { signal, onBytes }: WriteOptions,
): Promise<void> {
  signal.throwIfAborted()
  if (from === undefined) return writeFile(to, text, { flag: 'wx', mode: 0o600 })
  if (hashes.has(from)) {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    return onBytes((await stat(to)).size)
  }
  const hash = createHash('sha256')
  const watched = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      hash.update(chunk)
      onBytes(chunk.length)
      yield chunk
    }
  }
  await pipeline(createReadStream(from), watched, createWriteStream(to, { flags: 'wx', mode: 0o600 }), { signal })
  hashes.set(from, hash.digest('hex'))
}

/** Root gives what it writes to the owner of the directory: that is the user of the server. */
async function adopt(dir: string, written: string, path: string, mode: number): Promise<void> {
  const former = await ifThere(stat(path))
  const { uid, gid } = await stat(dir)
  if (process.getuid?.() === 0) await chown(written, uid, gid)
  await chmod(written, former ? former.mode & 0o777 : mode)
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
