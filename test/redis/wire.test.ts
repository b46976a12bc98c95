import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { freePort } from '../../lab/port.js'
import { startProxy, type TcpProxy } from '../../lab/proxy.js'
import { connectRedis, connectWire } from '../../src/redis/connect.js'
import { ask, encode, exchange, type Reply, Wire } from '../../src/redis/wire.js'
import { seeded } from '../decide/seeded.js'
import { describeOwnServers } from '../support/processes.js'
import { until, useRedis } from '../support/servers.js'

describe('encode', () => {
  it.each<[(string | number)[], string]>([
    [['PING'], '*1\r\n$4\r\nPING\r\n'],
    [['SET', 'k', 1.5], '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n1.5\r\n'],
    [['GET', ''], '*2\r\n$3\r\nGET\r\n$0\r\n\r\n'],
    [['GET', 'ü€🚀'], '*2\r\n$3\r\nGET\r\n$9\r\nü€🚀\r\n'],
    [['GET', 'a\r\nb'], '*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n'],
  ])('counts bytes: %j', (args, text) => {
    expect(encode(...args).toString()).toBe(text)
  })
})

describeOwnServers('Wire', () => {
  const server = useRedis()
  let proxy: TcpProxy
  let wire: Wire
  beforeEach(async () => {
    proxy = await startProxy(server.port)
    wire = await connectWire(proxy.url(server.url), 'test')
    await ask(wire, 'FLUSHALL')
  })
  afterEach(async () => {
    wire.close()
    await proxy.stop()
  })

  it('answers nothing to nothing', async () => {
    expect(await wire.exchange([])).toEqual([])
  })

  it('gives each exchange its own replies, in order', async () => {
    const sizes = Array.from({ length: 200 }, (_, i) => i % 7)
    const exchanges = sizes.map((size, i) =>
      wire.exchange(Array.from({ length: size }, (_, j) => encode('ECHO', `${i}/${j}`))),
    )
    const expected = sizes.map((size, i) => Array.from({ length: size }, (_, j) => `${i}/${j}`))
    expect(await Promise.all(exchanges)).toEqual(expected)
  })

  it('reads every kind of reply', async () => {
    const replies = await exchange(wire, [
      encode('SET', 'k', 'ü€🚀\r\n\0'),
      encode('GET', 'k'),
      encode('GET', 'none'),
      encode('INCRBY', 'n', -5),
      encode('STRLEN', 'none'),
      encode('SET', 'empty', ''),
      encode('GET', 'empty'),
      encode('KEYS', 'none*'),
      encode('EVAL', "return {1, 'two', {3, {}, false}, redis.status_reply('OK')}", 0),
      encode('BLPOP', 'none', 0.01),
    ])
    const nested = [1, 'two', [3, [], null], 'OK']
    expect(replies).toEqual(['OK', 'ü€🚀\r\n\0', null, -5, 0, 'OK', '', [], nested, null])
  })

  it('gives errors as values, so that one bad key does not hide the others', async () => {
    const [set, lpush, get] = await exchange(wire, [encode('SET', 'k', 1), encode('LPUSH', 'k', 2), encode('GET', 'k')])
    expect([set, get]).toEqual(['OK', '1'])
    expect(lpush).toBeInstanceOf(Error)
    expect((lpush as Error).message).toMatch(/^WRONGTYPE/)
    await expect(ask(wire, 'LPUSH', 'k', 2)).rejects.toThrow('WRONGTYPE')
    expect(await ask(wire, 'PING')).toBe('PONG')
  })

  it('gives errors inside arrays as elements', async () => {
    const script = "return {1, redis.error_reply('SOME error'), {redis.error_reply('INNER error')}, 'last'}"
    const reply = await ask(wire, 'EVAL', script, 0)
    expect(named(reply)).toEqual([1, 'Error: SOME error', ['Error: INNER error'], 'last'])
  })

  it.each(['', 'x', '\0', 'ü€🚀', '\r\n$-1\r\n', '0'.repeat(70_000)])('keeps text %#', async (text) => {
    await ask(wire, 'SET', text, text)
    expect(await ask(wire, 'GET', text)).toBe(text)
  })

  it('reads 10 MB replies, and what comes behind them', async () => {
    const large = '0123456789ü'.repeat(900_000)
    expect(await ask(wire, 'SET', 'large', large)).toBe('OK')
    const replies = await exchange(wire, [
      encode('GET', 'large'),
      encode('PING'),
      encode('MGET', 'large', 'none', 'large'),
      encode('PING'),
    ])
    expect(replies[0] === large).toBe(true)
    const [first, second, third] = replies[2] as string[]
    expect([first === large, second, third === large]).toEqual([true, null, true])
    expect([replies[1], replies[3]]).toEqual(['PONG', 'PONG'])
  })

  it('reads many small elements', async () => {
    const reply = (await ask(wire, 'EVAL', 'local t = {} for i = 1, 300000 do t[i] = i end return t', 0)) as number[]
    expect(reply).toHaveLength(300_000)
    expect(reply.every((element, i) => element === i + 1)).toBe(true)
  })

  describe.each([1, 2, 3, 7, 64, 'random'] as const)('in packets of %s bytes', (size) => {
    it('reads the same', async () => {
      const redis = await connectRedis(proxy.url(server.url), 'split')
      const split = new Wire(redis)
      const [deliver] = redis.stream.listeners('data') as [(data: Buffer) => void]
      const random = seeded(7)
      redis.stream.removeAllListeners('data')
      redis.stream.on('data', (data: Buffer) => {
        for (let at = 0; at < data.length; ) {
          const length = size === 'random' ? 1 + random.below(20) : size
          deliver(data.subarray(at, at + length))
          at += length
        }
      })
      const script = "return {1, -20, 'ü€🚀', {redis.error_reply('INNER error'), {'', 'a\\r\\nb'}}, false, ARGV[1]}"
      for (let i = 0; i < 5; i++) {
        const commands = [
          encode('ECHO', 'ü€🚀'),
          encode('EVAL', script, 0, 'x'.repeat(50 * i)),
          encode('NONE'),
          encode('PING'),
        ]
        const [echo, nested, unknown, pong] = await exchange(split, commands)
        expect(echo).toBe('ü€🚀')
        const inner = ['Error: INNER error', ['', 'a\r\nb']]
        expect(named(nested)).toEqual([1, -20, 'ü€🚀', inner, null, 'x'.repeat(50 * i)])
        expect(unknown).toBeInstanceOf(Error)
        expect(pong).toBe('PONG')
      }
      split.close()
    })
  })

  it('rejects all that wait and all that come when the connection breaks in the middle', async () => {
    proxy.freeze()
    const waiting = [1, 2, 3].map(() => ask(wire, 'PING'))
    const outcomes = Promise.allSettled(waiting)
    await proxy.cut()
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: CLOSED })
    await wire.closed
    await expect(ask(wire, 'PING')).rejects.toThrow('closed')
    await expect(wire.exchange([encode('PING')])).rejects.toThrow('closed')
  })

  it('rejects an exchange of which only some replies came', async () => {
    const half = exchange(wire, [encode('PING'), encode('BLPOP', 'none', 0)])
    const settled = half.catch((error: unknown) => error)
    await until(async () => String(await server.cli('CLIENT', 'LIST')).includes('cmd=blpop'))
    await server.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    expect(await settled).toEqual(CLOSED)
  })

  it('rejects when no reply comes in time, and closes the connection', async () => {
    const impatient = new Wire(await connectRedis(proxy.url(server.url), 'impatient'), 50)
    expect(await ask(impatient, 'PING')).toBe('PONG')
    proxy.freeze()
    const outcomes = await Promise.allSettled([ask(impatient, 'PING'), ask(impatient, 'PING')])
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: new Error('no reply within 50 ms: timed out') })
    }
    await impatient.closed
    await expect(ask(impatient, 'PING')).rejects.toThrow('timed out')
  })

  it('is closed from the start where the connection was', async () => {
    const redis = await connectRedis(proxy.url(server.url), 'closed')
    const closed = once(redis, 'close')
    redis.disconnect()
    await closed
    const late = new Wire(redis)
    await late.closed
    await expect(ask(late, 'PING')).rejects.toThrow('closed')
  })

  it('closes when it is told to, and rejects what waits', async () => {
    proxy.freeze()
    const waiting = ask(wire, 'PING').catch((error: unknown) => error)
    wire.close()
    await wire.closed
    expect(await waiting).toEqual(CLOSED)
  })

  it.skipIf(!inject('hasTimeSeries'))('gives the errors of single samples', async () => {
    await ask(wire, 'TS.CREATE', 's')
    const reply = (await ask(wire, 'TS.MADD', 's', 1, 1, 's', 1, 2, 'none', 1, 1, 's', 2, 'x')) as Reply[]
    expect(reply[0]).toBe(1)
    expect(reply.slice(1)).toEqual([expect.any(Error), expect.any(Error), expect.any(Error)])
  })
})

/** A reply with its errors as text. */
function named(reply: unknown): unknown {
  if (reply instanceof Error) return `Error: ${reply.message}`
  return Array.isArray(reply) ? reply.map(named) : reply
}

const CLOSED = new Error('the connection was closed')

describe('Wire, before a server that does not speak Redis', () => {
  let server: Server
  let port: number
  let peer: Socket
  beforeEach(async () => {
    port = await freePort()
    server = createServer((socket) => {
      peer = socket.on('error', () => undefined)
      // Says OK to whatever the handshake asks, one answer a command.
      socket.on('data', (data) => socket.write('+OK\r\n'.repeat(data.toString().match(/\*\d+\r\n/g)?.length ?? 0)))
    }).listen(port, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(() => {
    peer.destroy()
    server.close()
  })

  it.each([
    ['no reply type', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['a reply that nobody asked for', '+OK\r\n'],
  ])('fails on %s', async (_, text) => {
    const wire = await connectWire(`redis://127.0.0.1:${port}/0`, 'test')
    expect(await ask(wire, 'PING')).toBe('OK')
    peer.write(text)
    await wire.closed
    await expect(ask(wire, 'PING')).rejects.toThrow()
  })
})
