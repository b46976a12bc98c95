import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { freePort } from '../../lab/port.js'

/** A TCP relay on 127.0.0.1 that can be pointed at another server, and that can hold back a chosen request. */
export interface Relay {
  /** The same URL with the relay's address in place of the server's. */
  url(serverUrl: string): string
  /** Ends all connections and sends new ones to another port. */
  pointAt(port: number): void
  /** Resolves when a client sends a request that holds these texts; it and all that follows on its connection waits for `release`. */
  hold(...texts: string[]): Promise<{ release(): void }>
  /** What of the answers matches is not passed on from now on; undefined: all is. */
  mute(pattern: RegExp | undefined): void
  stop(): Promise<void>
}

interface Trap {
  texts: string[]
  spring(held: { release(): void }): void
}

/** Starts a relay in front of a port of 127.0.0.1. */
export async function startRelay(firstPort: number): Promise<Relay> {
  const port = await freePort()
  let target = firstPort
  const sockets = new Set<Socket>()
  const traps: Trap[] = []
  let muted: RegExp | undefined
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    join(client, upstream, traps, () => muted)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    }
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: (serverUrl) => {
      const url = new URL(serverUrl)
      url.hostname = '127.0.0.1'
      url.port = String(port)
      return url.href
    },
    pointAt: (next) => {
      target = next
      cut()
    },
    hold: (...texts) => new Promise((spring) => traps.push({ texts, spring })),
    mute: (pattern) => {
      muted = pattern
    },
    stop: async () => {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}

function join(client: Socket, upstream: Socket, traps: Trap[], muted: () => RegExp | undefined): void {
  for (const socket of [client, upstream]) {
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('close', () => {
      client.destroy()
      upstream.destroy()
    })
  }
  upstream.on('data', (data: Buffer) => {
    const pattern = muted()
    client.write(pattern ? Buffer.from(data.toString('latin1').replaceAll(pattern, ''), 'latin1') : data)
  })
  let kept: Buffer[] | undefined
  client.on('data', (data: Buffer) => {
    const sprung = kept ? -1 : traps.findIndex(({ texts }) => texts.every((text) => data.includes(text)))
    if (sprung < 0) {
      if (kept) kept.push(data)
      else upstream.write(data)
      return
    }
    const held = [data]
    kept = held
    traps.splice(sprung, 1)[0]?.spring({
      release: () => {
        kept = undefined
        upstream.write(Buffer.concat(held))
      },
    })
  })
}
