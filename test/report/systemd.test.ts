import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readSupervisor } from '../../src/config/supervisor.js'
import type { LogEvent } from '../../src/report/events.js'
import { Liveness, livenessLimit } from '../../src/report/liveness.js'
import { Systemd } from '../../src/report/systemd.js'
import { StatusLine } from '../../src/report/systemd-status.js'
import { until } from '../support/until.js'

const canNotify = ['python3', 'systemd-notify'].every(
  (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0,
)
if (!canNotify) console.log('python3 or systemd-notify was not found: the tests of sd_notify are SKIPPED.')

/** A socket as systemd has one; a line of JSON for each datagram. */
const RECEIVER = `
import json, socket, sys
name = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("\\0" + name[1:] if name.startswith("@") else name)
print("[]", flush=True)
while True:
    print(json.dumps(receiver.recv(65536).decode().split("\\n")), flush=True)
`

const REDIS_UP: LogEvent = {
  event: 'redis_up',
  run_id: 'a',
  previous_run_id: undefined,
  version: '8.0.0',
  down_for_ms: 0,
}
const WATCHING: LogEvent = { event: 'watching', run_id: 'a', symbols: 50, keys: 900 }
const STARTING: LogEvent = {
  event: 'starting',
  version: '1',
  redis: 'r',
  postgres: 'p',
  layout: undefined,
  datasets: [],
}
const LOSS: LogEvent = {
  event: 'data_loss',
  incident: 1,
  cause: 'flush',
  causes: ['flush'],
  reopened: false,
  run_id: 'a',
  previous_run_id: 'a',
  keys_lost: 900,
  keys_incomplete: {},
  symbols_lost: 50,
  symbols: [],
  last_seen_whole_at: undefined,
  time_to_detect_ms: 3,
  classes: [],
  evidence: {},
}
const HEALED: LogEvent = {
  event: 'healed',
  incident: 1,
  supersedes: [],
  cause: 'flush',
  causes: ['flush'],
  losses: 1,
  keys_lost: 900,
  keys_back: 900,
  keys_expired: 0,
  keys_unwanted: 0,
  unseen: [],
  unwanted: {},
  unwanted_keys: [],
  time_to_detect_ms: 3,
  time_to_heal_ms: 212,
  keys: 900,
  samples: 1,
  fields: 1,
  symbols: 50,
  left_out: 0,
  superseded: 0,
}
const down = (event: 'redis_down' | 'postgres_down'): LogEvent => ({
  event,
  code: 'x',
  reason: 'Redis here: gone',
  hint: 'h',
  down_for_ms: 0,
})

describe.skipIf(!canNotify)('Systemd', () => {
  let folder: string
  let receiver: ChildProcess | undefined
  let received: string[][]
  let emitted: LogEvent[]
  let opened: Systemd[]

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rekindle-notify-'))
    received = []
    emitted = []
    opened = []
  })
  afterEach(async () => {
    for (const systemd of opened) {
      systemd.take({ event: 'stopping', signal: 'SIGTERM' })
      await systemd.sent()
    }
    receiver?.kill('SIGKILL')
    receiver = undefined
    rmSync(folder, { recursive: true, force: true })
  })

  async function receive(socket: string): Promise<void> {
    receiver = spawn('python3', ['-c', RECEIVER, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface({ input: receiver.stdout as NodeJS.ReadableStream })
    lines.on('line', (line) => {
      const message = JSON.parse(line) as string[]
      // With this systemd-notify waits until everything before it was read.
      if (!message.includes('BARRIER=1')) received.push(message)
    })
    await once(lines, 'line')
    received.length = 0
  }

  function open(socket: string, more: { watchdog?: number; liveness?: Liveness; program?: string } = {}): Systemd {
    const { watchdog, liveness = new Liveness(60_000), program } = more
    const emit = (event: LogEvent): void => void emitted.push(event)
    const systemd = new Systemd({ socket, watchdog, liveness, emit, ...(program !== undefined && { program }) })
    opened.push(systemd)
    return systemd
  }

  const heard = (line: string): Promise<true> =>
    until(() => received.some((message) => message.includes(line)) || undefined, { what: line })

  it.each([
    ['a file', () => join(folder, 'notify')],
    ['an abstract name', () => `@rekindle-${process.pid}-${Date.now()}`],
  ])('tells a socket that is %s when it is ready, what it does, reloads and stops', async (_, name) => {
    const socket = name()
    await receive(socket)
    const systemd = open(socket)
    systemd.take(STARTING)
    await heard('READY=1')
    systemd.take(WATCHING)
    await heard('STATUS=watching 50 symbols')
    systemd.take(LOSS)
    await heard('STATUS=healing 0/50 symbols (flush)')
    systemd.take({ event: 'symbol_healed', incident: 1, symbol: 'A' })
    systemd.take({ event: 'symbol_healed', incident: 1, symbol: 'B' })
    await heard('STATUS=healing 2/50 symbols (flush)')
    systemd.take(HEALED)
    await heard('STATUS=watching 50 symbols, last loss less than 1 min ago: flush, healed in 212 ms')

    received.length = 0
    const before = process.hrtime.bigint() / 1_000n
    systemd.reloading()
    systemd.take({ event: 'reload_failed', reason: 'rekindle.yaml: a\nb' })
    await heard('STATUS=not reloaded: rekindle.yaml: a b')
    const [reloading, ready] = received
    expect(reloading).toContain('RELOADING=1')
    const at = BigInt(/=(\d+)/.exec(reloading?.find((line) => line.startsWith('MONOTONIC')) ?? '')?.[1] ?? 0)
    expect(at).toBeGreaterThanOrEqual(before)
    expect(at).toBeLessThanOrEqual(process.hrtime.bigint() / 1_000n)
    expect(ready).toContain('READY=1')

    systemd.take({ event: 'stopping', signal: 'SIGTERM' })
    await systemd.sent()
    await heard('STOPPING=1')
    expect(emitted).toEqual([])
  })

  it('gives signs of life while the poll ends, well or not, and none once it does not', async () => {
    const socket = join(folder, 'notify')
    await receive(socket)
    let now = 0
    const liveness = new Liveness(60_000, () => now)
    open(socket, { watchdog: 60, liveness })
    await heard('WATCHDOG=1')
    liveness.sign('poll')
    liveness.take(REDIS_UP)
    now += 60_001
    liveness.sign('candles.m1')
    const stopped = await until(() => emitted.find(({ event }) => event === 'degraded'))
    expect(stopped).toMatchObject({ what: 'watchdog', reason: expect.stringContaining('60 s') })
    received.length = 0
    liveness.sign('poll')
    await heard('WATCHDOG=1')
  })

  it.each([
    ['a socket where nobody listens', () => ({ socket: join(folder, 'nobody') }), /No such file/],
    ['a name that is too long', () => ({ socket: `/${'x'.repeat(200)}` }), /./],
    ['no systemd-notify', () => ({ socket: join(folder, 'n'), program: 'systemd-notify-is-not-here' }), /ENOENT/],
  ])('says once that systemd cannot be told, with %s', async (_, options, reason) => {
    const { socket, ...more } = { program: 'systemd-notify', ...options() }
    const systemd = open(socket, more)
    systemd.take(STARTING)
    await systemd.sent()
    systemd.take({ event: 'stopping', signal: 'SIGTERM' })
    await systemd.sent()
    expect(emitted).toEqual([
      expect.objectContaining({ event: 'degraded', what: 'systemd', reason: expect.stringMatching(reason) }),
    ])
  })
})

describe('Liveness', () => {
  it('takes any sign while Redis is away, and a waiting daemon for no stuck one', () => {
    let now = 0
    const liveness = new Liveness(livenessLimit(1_000), () => now)
    now = 1e9
    expect(liveness.stuckFor).toBeUndefined()
    liveness.sign('redis')
    for (const event of [REDIS_UP, down('redis_down')]) liveness.take(event)
    for (let i = 0; i < 100; i++) {
      now += 15_000
      liveness.sign('redis')
      expect(liveness.stuckFor).toBeUndefined()
    }
    now += 60_001
    expect(liveness.stuckFor).toBe(60_001)
  })

  it('waits longer for a poll that comes seldom', () => {
    expect(livenessLimit(50)).toBe(60_000)
    expect(livenessLimit(600_000)).toBe(1_800_000)
  })
})

describe('StatusLine', () => {
  it.each<[string, LogEvent[], string]>([
    ['what is first', [STARTING], 'looking at Redis for the first time'],
    ['that Redis is away', [STARTING, WATCHING, down('redis_down')], 'waiting: Redis here: gone'],
    [
      'that PostgreSQL is away',
      [WATCHING, LOSS, down('postgres_down')],
      'healing 0/50 symbols (flush), waiting: Redis here: gone',
    ],
    [
      'both back',
      [down('redis_down'), down('postgres_down'), REDIS_UP, WATCHING],
      'watching 50 symbols, waiting: Redis here: gone',
    ],
    [
      'what is degraded',
      [WATCHING, { event: 'degraded', what: 'tracking', code: 'x', reason: 'r', hint: 'h', since_ms: 0 }],
      'watching 50 symbols; degraded: tracking',
    ],
    ['that it stops', [WATCHING, LOSS, { event: 'stopping', signal: 'SIGTERM' }], 'stopping'],
  ])('tells %s', (_, events, line) => {
    const status = new StatusLine()
    for (const event of events) status.take(event)
    expect(String(status)).toBe(line)
  })

  it('tells how long ago the last loss was', () => {
    let now = 0
    const status = new StatusLine(() => now)
    for (const event of [WATCHING, LOSS, HEALED]) status.take(event)
    now = 12.7 * 60_000
    expect(String(status)).toBe('watching 50 symbols, last loss 12 min ago: flush, healed in 212 ms')
  })
})

describe('readSupervisor', () => {
  const env = {
    NOTIFY_SOCKET: '/run/systemd/notify',
    SYSTEMD_EXEC_PID: '7',
    WATCHDOG_PID: '7',
    WATCHDOG_USEC: '30000000',
  }

  it('knows the socket and the watchdog of the process that systemd has started', () => {
    expect(readSupervisor(env, 7)).toEqual({ socket: '/run/systemd/notify', watchdog: 30_000 })
    expect(readSupervisor({ NOTIFY_SOCKET: '@x' }, 7)).toEqual({ socket: '@x', watchdog: undefined })
    expect(readSupervisor({ ...env, NOTIFY_SOCKET: '' }, 7)).toBeUndefined()
  })

  it('leaves the socket of another process alone', () => {
    expect(readSupervisor(env, 8)).toBe('NOTIFY_SOCKET is for another process: SYSTEMD_EXEC_PID is 7, and this is 8')
    expect(readSupervisor({ NOTIFY_SOCKET: '/n', WATCHDOG_PID: '7' }, 8)).toMatch(/WATCHDOG_PID is 7/)
  })
})
