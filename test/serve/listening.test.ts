import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { freePort } from '../../lab/port.js'
import { listenTrouble } from '../../src/serve/listen-trouble.js'
import { until } from '../support/until.js'
import { get, open } from './outlets.js'
import { WHOLE } from './scenes.js'

const dir = mkdtempSync(join(tmpdir(), 'rekindle-listening-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('the address', () => {
  it('may be in use for a while: that is said once, and then it works', async () => {
    const port = await freePort()
    const other = createServer().listen(port, '127.0.0.1')
    await once(other, 'listening')
    const { said, listen } = await open(`127.0.0.1:${port}`)
    await until(() => said.length === 1)
    expect(said[0]).toEqual({
      event: 'degraded',
      what: 'http',
      code: 'http_in_use',
      reason: `http.listen: ${listen} is in use by another process`,
      hint: 'stop it if it is a second Rekindle, or choose another port; there is no status page, health and metrics until then',
      since_ms: expect.any(Number),
    })
    // Long enough for a second attempt that fails.
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect(said).toHaveLength(1)
    other.close()
    await until(() => get(listen, '/healthz').catch(() => undefined))
    expect(said[1]).toMatchObject({ event: 'recovered', what: 'http' })
  })

  it('may be none of this machine, or one that is not allowed', async () => {
    const { said } = await open('203.0.113.1:9808')
    await until(() => said.length === 1)
    expect(said[0]).toMatchObject({ code: 'http_no_address', reason: expect.stringContaining('EADDRNOTAVAIL') })
    const unknown = await open('no-such-host.invalid:9808')
    await until(() => unknown.said.length === 1)
    expect(unknown.said[0]).toMatchObject({ code: 'http_no_address' })
  })

  it('may change while it runs, or be none', async () => {
    const { listen, follow, emit } = await open()
    emit(...WHOLE)
    const next = `127.0.0.1:${await freePort()}`
    follow(next)
    await until(() => get(next, '/readyz').catch(() => undefined))
    expect((await get(next, '/readyz')).status).toBe(200)
    await expect(get(listen, '/readyz')).rejects.toThrow()
    follow(false)
    await until(() =>
      get(next, '/readyz')
        .then(() => false)
        .catch(() => true),
    )
  })

  it('is no trouble any more once another is told that can be used, or none', async () => {
    const port = await freePort()
    const other = createServer().listen(port, '127.0.0.1')
    await once(other, 'listening')
    const { said, follow } = await open(`127.0.0.1:${port}`)
    await until(() => said.length === 1)
    const free = `127.0.0.1:${await freePort()}`
    follow(free)
    await until(() => said.length === 2)
    expect(said[1]).toMatchObject({ event: 'recovered', what: 'http' })
    expect((await get(free, '/healthz')).status).toBe(200)
    follow(`127.0.0.1:${port}`)
    await until(() => said.length === 3)
    follow(false)
    expect(said.map(({ event }) => event)).toEqual(['degraded', 'recovered', 'degraded', 'recovered'])
    await expect(get(free, '/healthz')).rejects.toThrow()
    other.close()
  })

  it('stays until the one that is to take its place can be used', async () => {
    const { listen, said, follow } = await open()
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    follow(`127.0.0.1:${port}`)
    await until(() => said.length === 1)
    expect(said[0]).toMatchObject({
      code: 'http_in_use',
      hint: expect.stringContaining(`status page, health and metrics stay at ${listen} until then`),
    })
    expect((await get(listen, '/healthz')).status).toBe(200)
    follow(listen)
    expect(said[1]).toMatchObject({ event: 'recovered', what: 'http' })
    expect((await get(listen, '/healthz')).status).toBe(200)
    follow(`127.0.0.1:${port}`)
    await until(() => said.length === 3)
    other.close()
    await until(() => said.length === 4)
    expect((await get(`127.0.0.1:${port}`, '/healthz')).status).toBe(200)
    await expect(get(listen, '/healthz')).rejects.toThrow()
  })

  it('makes room for another with the same port', async () => {
    const { listen, said, follow } = await open()
    const wide = listen.replace('127.0.0.1', '0.0.0.0')
    follow(`203.0.113.1:${listen.split(':')[1]}`)
    await until(() => said.length === 1)
    expect((await get(listen, '/healthz')).status).toBe(200)
    follow(wide)
    await until(() => said.length === 2)
    expect(said[1]).toMatchObject({ event: 'recovered', what: 'http' })
    expect((await get(listen, '/healthz')).status).toBe(200)
  })

  it('is kept from nobody for long by connections that hang', async () => {
    const { listen } = await open()
    const [host, port] = listen.split(':')
    const hanging = Array.from({ length: 256 }, () => connect(Number(port), host))
    for (const [at, socket] of hanging.entries()) {
      socket.on('error', () => undefined)
      if (at % 2 > 0) socket.write('GET /readyz HTTP/1.1\r\nHost: ')
    }
    const began = performance.now()
    await Promise.all(hanging.map((socket) => once(socket.resume(), 'close')))
    expect(performance.now() - began).toBeLessThan(4_500)
    expect((await get(listen, '/healthz')).status).toBe(200)
  })

  it('is let go at the end, also while someone watches', async () => {
    const { listen, close } = await open()
    const watching = get(listen, '/events').catch(() => 'cut off')
    await until(async () => (await get(listen, '/healthz')).status === 200)
    const began = performance.now()
    await close()
    expect(performance.now() - began).toBeLessThan(1_000)
    await watching
    const other = createServer().listen(Number(listen.split(':')[1]), '127.0.0.1')
    await once(other, 'listening')
    other.close()
  })
})

describe('the socket', () => {
  it('is open to its group and nobody else, and goes with its server', async () => {
    const path = join(dir, 'own.sock')
    const { close } = await open(path)
    await until(() => get(path, '/healthz').catch(() => undefined))
    await until(() => (statSync(path).mode & 0o777) === 0o660)
    expect((await get(path, '/healthz', { headers: { host: 'anything' } })).status).toBe(200)
    await close()
    expect(() => statSync(path)).toThrow('ENOENT')
  })

  it('takes the place of one that a killed process left', async () => {
    const path = join(dir, 'stale.sock')
    const child = spawn(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`,
    ])
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(statSync(path).isSocket()).toBe(true)
    const { said } = await open(path)
    await until(() => get(path, '/healthz').catch(() => undefined))
    expect(said).toEqual([])
  })

  it('is left to a process that listens at it, and a file to whoever wrote it', async () => {
    const path = join(dir, 'live.sock')
    const other = createServer().listen(path)
    await once(other, 'listening')
    const { said } = await open(path)
    await until(() => said.length === 1)
    expect(said[0]).toMatchObject({ code: 'http_in_use', reason: `http.listen: ${path} is in use by another process` })
    expect(statSync(path).isSocket()).toBe(true)
    other.close()
    const file = join(dir, 'file')
    writeFileSync(file, 'precious')
    const second = await open(file)
    await until(() => second.said.length === 1)
    expect(second.said[0]).toMatchObject({
      code: 'http_in_use',
      reason: `http.listen: ${file} is there and is no socket`,
    })
    expect(statSync(file).size).toBe(8)
  })

  it('needs a folder', async () => {
    const { said } = await open(join(dir, 'nowhere', 'own.sock'))
    await until(() => said.length === 1)
    expect(said[0]).toMatchObject({ code: 'http_no_folder', hint: expect.stringContaining('RuntimeDirectory=') })
  })

  it('may be too long, and nothing is made of a part of it', async () => {
    const path = join(dir, 'x'.repeat(120))
    const { said } = await open(path)
    await until(() => said.length === 1)
    expect(said[0]).toMatchObject({ code: 'http_refused', hint: expect.stringContaining('at most 107 bytes') })
    expect(readdirSync(dir).filter((name) => name.startsWith('xxx'))).toEqual([])
  })

  it('is told apart from a port by what mends it', () => {
    expect(listenTrouble('/run/rekindle/own.sock', 'EACCES').hint).toMatch(
      /^let this user write to \/run\/rekindle, or/,
    )
    expect(listenTrouble('127.0.0.1:80', 'EACCES').hint).toMatch(/^choose a port above 1023, or/)
    expect(listenTrouble('127.0.0.1:80', undefined)).toMatchObject({ code: 'http_failed' })
  })
})
