import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { Redis } from 'ioredis'
import { serverName } from '../config/redact.js'
import { Trouble } from '../errors.js'
import { connectRedis } from '../redis/connect.js'
import { redisTrouble } from '../redis/trouble.js'
import { folderTrouble } from './folder-trouble.js'
import { SnapshotReader } from './snapshot-reader.js'
import { syncTrouble } from './sync-trouble.js'

/** For how long the server may say nothing, in ms; while it prepares a snapshot it sends a newline each second. */
const SILENCE = 60_000

export interface SnapshotOptions {
  readonly url: string
  /** The file, which must not exist yet. It stays, half written, if this fails. */
  readonly path: string
  readonly signal: AbortSignal
  /** The bytes written so far, and of how many if the server told; called also while there are none yet. */
  readonly onProgress?: (bytes: number, total: number | undefined) => void
  /** In ms; 60 s unless given. */
  readonly silence?: number
}

/** What was written and synced. */
export interface Snapshot {
  readonly bytes: number
  /** In hex. */
  readonly sha256: string
  /** Whether the server wrote the snapshot to its own disk first, over its own dump.rdb. */
  readonly form: 'from its disk' | 'diskless'
}

/**
 * Takes an RDB over the network, as `redis-cli --rdb` does: by asking as a replica that wants the snapshot only. Rejects with a
 * Trouble, or with the signal's reason.
 *
 * With `repl-diskless-sync yes` (the default since Redis 7) the server streams from the child's memory and touches no file of its
 * own; it begins after `repl-diskless-sync-delay`, 5 s by default. With `no` (the default of Redis 6) it first writes its own
 * dump.rdb, also where no save points are set, and sends that.
 */
export async function takeSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const { url, signal } = options
  const server = serverName(url)
  signal.throwIfAborted()
  let redis: Redis | undefined
  try {
    redis = await connectRedis(url, 'rekindle-backup')
    await askForSnapshotOnly(redis)
    return await receive(redis, options)
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof Trouble ? error : syncTrouble(error, redisTrouble(error, server))
  } finally {
    redis?.disconnect()
    redis?.stream.destroy()
  }
}

/** Without the first the server would collect every later change for us; without the second it could not send a stream of unknown length. */
async function askForSnapshotOnly(redis: Redis): Promise<void> {
  for (const [name, value] of [
    ['rdb-only', '1'],
    ['capa', 'eof'],
  ] as const) {
    // A server older than these answers with an error, and sends the plain form.
    await redis.call('REPLCONF', name, value).catch((error: Error) => {
      if (!error.message.startsWith('ERR')) throw error
    })
  }
}

async function receive(redis: Redis, options: SnapshotOptions): Promise<Snapshot> {
  const { path, onProgress = () => undefined } = options
  const reader = new SnapshotReader()
  const hash = createHash('sha256')
  let bytes = 0
  const file = await open(path, 'wx', 0o600).catch((error) => Promise.reject(folderTrouble(error, path)))
  try {
    for await (const chunk of listen(redis, options)) {
      const data = reader.take(chunk)
      for (const part of data) {
        hash.update(part)
        await file.writeFile(part).catch((error) => Promise.reject(folderTrouble(error, path)))
        bytes += part.length
      }
      onProgress(bytes, reader.total)
      if (reader.isComplete) break
    }
    if (!reader.isComplete)
      throw new Error(`the connection was closed in the middle of the snapshot, after ${bytes} bytes`)
    await file.sync().catch((error) => Promise.reject(folderTrouble(error, path)))
    return { bytes, sha256: hash.digest('hex'), form: reader.total === undefined ? 'diskless' : 'from its disk' }
  } finally {
    await file.close()
  }
}

/** Takes the socket over from ioredis, sends SYNC, and hands on what comes; the time that a slow disk takes does not count as silence. */
async function* listen(redis: Redis, { url, signal, silence = SILENCE }: SnapshotOptions): AsyncGenerator<Buffer> {
  const { stream } = redis
  stream.removeAllListeners('data')
  stream.pause()
  const server = serverName(url)
  const late = (): void => {
    const hint = 'does it hang, or is its disk or the network too slow?'
    stream.destroy(new Trouble('timeout', `Redis ${server}: sent nothing for ${silence / 1000} s`, hint, true))
  }
  const abort = (): void => void stream.destroy(new Error('aborted'))
  signal.addEventListener('abort', abort, { once: true })
  let timer = setTimeout(late, silence)
  try {
    signal.throwIfAborted()
    stream.write('*1\r\n$4\r\nSYNC\r\n')
    for await (const chunk of stream) {
      clearTimeout(timer)
      yield chunk as Buffer
      timer = setTimeout(late, silence)
    }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}
