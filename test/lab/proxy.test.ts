import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../../lab/port.js'
import { startProxy, type TcpProxy } from '../../lab/proxy.js'
import { until } from '../support/until.js'

describe('startProxy', () => {
  let echo: Server
  let proxy: TcpProxy
  let clients: Client[]

  beforeEach(async () => {
    const port = await freePort()
    clients = []
    echo = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(port, '127.0.0.1')
    await once(echo, 'listening')
    proxy = await startProxy(port)
  })

  afterEach(async () => {
    for (const client of clients) client.socket.destroy()
    await proxy.stop()
    echo.close()
  })

  it('passes bytes both ways and knows its URL', async () => {
    const client = await call()
    client.socket.write('hello')
    await until(() => client.heard === 'hello')
    expect(proxy.url('redis://u:p@example.org:1/3')).toBe(`redis://u:p@127.0.0.1:${proxy.port}/3`)
  })

  it('cuts, refuses, and accepts again', async () => {
    const client = await call()
    await proxy.cut()
    await until(() => client.socket.destroyed)
    await expect(call()).rejects.toThrow(/ECONNREFUSED/)
    await proxy.resume()
    const next = await call()
    next.socket.write('again')
    await until(() => next.heard === 'again')
  })

  it('holds back every byte while it is frozen, of old and new connections', async () => {
    const old = await call()
    old.socket.write('a')
    await until(() => old.heard === 'a')
    proxy.freeze()
    const fresh = await call()
    old.socket.write('b')
    fresh.socket.write('c')
    // Bytes that take the direct way there and back prove that the others had time enough.
    const direct = connect((echo.address() as { port: number }).port, '127.0.0.1')
    direct.end('x')
    await once(direct.resume(), 'close')
    expect([old.heard, fresh.heard]).toEqual(['a', ''])
    expect(old.socket.destroyed).toBe(false)
    await proxy.resume()
    await until(() => old.heard === 'ab' && fresh.heard === 'c')
  })

  async function call(): Promise<Client> {
    const socket = connect(proxy.port, '127.0.0.1')
    const client = { socket, heard: '' }
    clients.push(client)
    socket.on('data', (bytes) => {
      client.heard += bytes.toString()
    })
    await once(socket, 'connect')
    socket.on('error', () => {})
    return client
  }
})

interface Client {
  socket: Socket
  heard: string
}
