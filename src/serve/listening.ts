import { chmod, lstat, stat, unlink } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { type Address, readAddress } from './address.js'
import { type ListenTrouble, listenTrouble } from './listen-trouble.js'

/** Who asks slowly, or hangs, is not waited for: in ms. */
const LIMITS = {
  headersTimeout: 2_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 20_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 8_192,
}
/** A connection on which nothing moves for this long, in ms, is over. */
const IDLE = 30_000
/** `sun_path` of a Unix socket holds 108 bytes with the zero at its end. */
const LONGEST_SOCKET = 107
const CONNECTIONS = 256
/** Back-off between attempts to listen, in ms. */
const RETRY_FIRST = 1_000
const RETRY_LAST = 30_000

/** Is told how it goes. */
interface Owner {
  opened(): void
  /** It is tried again by itself. */
  failed(trouble: ListenTrouble): void
  /** Something else listens there: true if that was ours, and is gone now. */
  makeRoom(): Promise<boolean>
}

/** A server that listens, or tries to again and again: nothing else waits for it. */
export class Listening {
  private readonly server: Server
  private readonly address: Address
  private retry: NodeJS.Timeout | undefined
  private failures = 0
  private closed = false

  constructor(
    readonly listen: string,
    handle: RequestListener,
    private readonly owner: Owner,
  ) {
    this.address = readAddress(listen)
    this.server = createServer({ ...LIMITS, keepAlive: true, noDelay: true }, handle)
    this.server.maxConnections = CONNECTIONS
    this.server.timeout = IDLE
    this.server.on('error', (error: NodeJS.ErrnoException) => {
      // Too many open files, say: the next connection may do better.
      if (!this.server.listening) void this.failed(error)
    })
    this.server.on('listening', () => void this.opened())
    this.attempt()
  }

  /** True while it can be asked. */
  get isOpen(): boolean {
    return this.server.listening
  }

  /** Stops listening and hangs up on everyone. */
  async close(): Promise<void> {
    this.closed = true
    clearTimeout(this.retry)
    const done = new Promise<void>((resolve) => {
      this.server.close(() => resolve())
    })
    this.server.closeAllConnections()
    await done
  }

  private attempt(): void {
    if (this.closed) return
    // Node would cut the name, and listen elsewhere.
    const isTooLong = 'path' in this.address && Buffer.byteLength(this.address.path) > LONGEST_SOCKET
    if (isTooLong) void this.failed(Object.assign(new Error('the name is too long'), { code: 'ENAMETOOLONG' }))
    else this.server.listen(this.address)
  }

  private async opened(): Promise<void> {
    // A name may be looked up for longer than anyone wants to listen there.
    if (this.closed) {
      this.server.close()
      return
    }
    this.failures = 0
    this.owner.opened()
    // Workers may share our group; nobody else has a say.
    if ('path' in this.address) await chmod(this.address.path, 0o660).catch(() => undefined)
  }

  private async failed(error: NodeJS.ErrnoException): Promise<void> {
    const trouble = await this.troubleOf(error)
    if (this.closed) return
    if (!trouble || (error.code === 'EADDRINUSE' && (await this.owner.makeRoom()))) {
      this.attempt()
      return
    }
    const delay = Math.min(RETRY_LAST, RETRY_FIRST * 2 ** Math.min(this.failures++, 10))
    this.retry = setTimeout(() => this.attempt(), delay)
    this.owner.failed(trouble)
  }

  /** What is in the way; undefined for the socket of a process that is gone, which is removed. */
  private async troubleOf(error: NodeJS.ErrnoException): Promise<ListenTrouble | undefined> {
    const { address } = this
    const { code } = error
    if (!('path' in address)) return listenTrouble(this.listen, code)
    const { path } = address
    // libuv calls a folder that is not there one that may not be written to.
    if (code === 'EACCES' && !(await isFolder(dirname(path)))) return listenTrouble(this.listen, 'ENOENT')
    if (code !== 'EADDRINUSE') return listenTrouble(this.listen, code)
    try {
      if (!(await lstat(path)).isSocket()) return listenTrouble(this.listen, 'EEXIST')
      if (await isAlive(path)) return listenTrouble(this.listen, 'EADDRINUSE')
      await unlink(path)
      return undefined
    } catch (failure) {
      const { code: why } = failure as NodeJS.ErrnoException
      return why === 'ENOENT' ? undefined : listenTrouble(this.listen, why)
    }
  }
}

/** Only a socket that nobody listens at refuses; one that we may not connect to, or that is busy, is somebody's. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.setTimeout(1_000, () => socket.destroy(new Error('no answer')))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    // The answer; who asked says so.
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'))
  })
}

async function isFolder(path: string): Promise<boolean> {
  // Where there is no telling, the error of the listening stands as it is.
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false
}
