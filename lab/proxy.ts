import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { freePort } from './port.js'

/** A TCP proxy on 127.0.0.1 that can behave like a bad network. */
export interface TcpProxy {
  readonly port: number
  /** The same URL with the proxy's address in place of the server's. */
  url(serverUrl: string): string
  /** Destroys all connections and refuses new ones, until `resume`. */
  cut(): Promise<void>
  /** Keeps and accepts connections but passes no byte, until `resume`. */
  freeze(): void
  /** Passes everything again, also what was held back by `freeze`. */
  resume(): Promise<void>
  /** Destroys all connections and gives the port back. */
  stop(): Promise<void>
}

/** Starts a proxy in front of a port of 127.0.0.1. */
export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const port = await freePort()
  const pairs = new Set<Pair>()
  let frozen = false
  let server: Server | undefined

  const accept = (client: Socket) => {
    const pair = new Pair(client, targetPort, () => pairs.delete(pair))
    pairs.add(pair)
    if (!frozen) pair.pass()
  }
  const open = async () => {
    server = createServer({ pauseOnConnect: true }, accept).listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const close = async () => {
    const closing = server
    server = undefined
    if (closing) {
      closing.close()
      for (const pair of pairs) pair.destroy()
      await once(closing, 'close')
    }
  }
  await open()
  return {
    port,
    url: (serverUrl) => {
      const url = new URL(serverUrl)
      url.hostname = '127.0.0.1'
      url.port = String(port)
      return url.href
    },
    cut: close,
    freeze: () => {
      frozen = true
      for (const pair of pairs) pair.hold()
    },
    resume: async () => {
      frozen = false
      for (const pair of pairs) pair.pass()
      if (server === undefined) await open()
    },
    stop: close,
  }
}

/** A client's connection and, as soon as bytes may pass, ours to the server. */
class Pair {
  readonly #client: Socket
  readonly #targetPort: number
  #target: Socket | undefined

  constructor(client: Socket, targetPort: number, onClose: () => void) {
    this.#client = client
    this.#targetPort = targetPort
    client.on('error', () => this.destroy())
    client.on('close', () => {
      this.destroy()
      onClose()
    })
  }

  pass(): void {
    this.#target ??= this.#reach()
    this.#client.pipe(this.#target)
    this.#target.pipe(this.#client)
  }

  hold(): void {
    if (this.#target === undefined) return
    this.#client.unpipe(this.#target)
    this.#target.unpipe(this.#client)
    this.#client.pause()
    this.#target.pause()
  }

  destroy(): void {
    this.#client.destroy()
    this.#target?.destroy()
  }

  #reach(): Socket {
    const target = connect(this.#targetPort, '127.0.0.1')
    for (const socket of [this.#client, target]) socket.setNoDelay(true)
    target.on('error', () => this.destroy())
    target.on('close', () => this.destroy())
    return target
  }
}
