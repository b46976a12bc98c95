import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ownFolder, removeFolder } from '../../lab/processes.js'
import { type RunningRedis, startRedis } from '../../lab/redis.js'
import { type Running, rekindle, startRekindle, writeConfig } from '../commands/rekindle.js'
import { anyLayout } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { until, usePostgres } from '../support/servers.js'
import { aclLines, rulesOf } from './acl.js'
import { readCompose } from './compose.js'

const project = fileURLToPath(new URL('../..', import.meta.url))
const { services } = readCompose()

// No engine runs where this is tested: the same processes, by hand, with the environment, arguments and files of docker-compose.yml.
describeOwnServers('the services of docker-compose.yml', () => {
  const postgres = usePostgres()
  const folder = ownFolder('compose')
  let redis: RunningRedis
  let admin: Redis
  let owner: Client
  let worker: ChildProcess | undefined
  let guard: Running | undefined
  let log = ''

  beforeAll(async () => {
    // The paths of the container, here.
    const args = services['redis']?.command?.slice(1).map((arg) => (arg === '/etc/redis/users.acl' ? aclFile() : arg))
    const { password } = rulesOf('default', aclLines(true))
    redis = await startRedis({ args: args ?? [], password })
    admin = new Redis({ port: redis.port, password })
    owner = new Client({ connectionString: await postgres.createDatabase('app') })
    await owner.connect()
    await initialise()
    // As in the image: beside the packages that it imports.
    mkdirSync(join(folder, 'feeder'))
    copyFileSync(join(project, 'deploy/feeder/feeder.mjs'), join(folder, 'feeder', 'feeder.mjs'))
    symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'))
  })

  afterAll(async () => {
    worker?.kill('SIGKILL')
    guard?.kill('SIGKILL')
    admin?.disconnect()
    await owner?.end()
    await redis?.stop()
    removeFolder(folder)
  })

  function aclFile(): string {
    const file = join(folder, 'users.acl')
    writeFileSync(file, `${aclLines(anyLayout() === 'timeseries').join('\n')}\n`)
    return file
  }

  /** What the image of PostgreSQL does with the files in docker-entrypoint-initdb.d. */
  async function initialise(): Promise<void> {
    const { volumes = [], environment = {} } = services['postgres'] ?? {}
    const scripts = volumes
      .filter((volume) => volume.includes('/docker-entrypoint-initdb.d/'))
      .map((volume) => volume.split(':'))
    scripts.sort(([, a = ''], [, b = '']) => a.localeCompare(b))
    for (const [source = ''] of scripts) {
      if (source.endsWith('.sql')) await owner.query(readFileSync(join(project, source), 'utf8'))
    }
    const { REKINDLE_PASSWORD, WORKER_PASSWORD } = environment
    await owner.query(
      `ALTER ROLE rekindle PASSWORD '${REKINDLE_PASSWORD}'; ALTER ROLE worker PASSWORD '${WORKER_PASSWORD}'`,
    )
  }

  /** The environment of a service, with the addresses that its names have here. */
  function envOf(service: string): Record<string, string> {
    const here = (text: string): string =>
      text
        .replace('@redis:6379', `@127.0.0.1:${redis.port}`)
        .replace('postgres-change-me@postgres:5432', `rekindle@127.0.0.1:${postgres.port}`)
        .replace('@postgres:5432', `@127.0.0.1:${postgres.port}`)
    const given = Object.entries(services[service]?.environment ?? {}).map(([name, value]) => [name, here(value)])
    const config = writeConfig({ candles: { layout: anyLayout() }, http: { listen: false } })
    return { ...Object.fromEntries(given), REKINDLE_CONFIG: config }
  }

  function startWorker(): void {
    const { PATH = '' } = process.env
    worker = spawn(process.execPath, [join(folder, 'feeder', 'feeder.mjs')], {
      env: { PATH, LAYOUT: anyLayout(), PERIOD: '50', ...envOf('worker') },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    worker.stdout?.setEncoding('utf8').on('data', (text: string) => {
      log += text
    })
  }

  const count = (text: string, part: string): number => text.split(part).length - 1

  it('come up in their order, and are whole again after a flush, with a worker at work', {
    timeout: 120_000,
  }, async () => {
    const triggers = await rekindle(services['triggers']?.command ?? [], envOf('triggers'))
    expect(triggers).toMatchObject({ status: 0, stderr: '' })
    const daemon = startRekindle(['watch'], envOf('rekindle'))
    guard = daemon
    const whole = await rekindle(services['whole']?.command ?? [], envOf('whole'))
    expect(whole).toMatchObject({ status: 0, stderr: '' })
    startWorker()
    await until(() => log.includes('"event":"resumed"'))
    await until(() => admin.get('price:BTCUSDT'))

    await admin.flushall()
    await until(() => count(daemon.stdout, '"event":"healed"') === 2, { what: 'the second heal' })
    await until(async () => (await admin.hlen('rekindle:ready')) === 10)
    await until(() => admin.get('price:LINKUSDT'))
    worker?.kill('SIGTERM')
    await until(() => worker?.exitCode === 0)
    // What it wrote last to PostgreSQL only reaches Redis when both have stood still for the settling time.
    // To verify time series counts as a write on some versions of the module (TS.INFO), so it must not be done without a pause.
    const drifts = () => count(daemon.stdout, '"event":"drift"')
    const isWhole = async () => {
      const before = drifts()
      if ((await rekindle(['verify'], envOf('rekindle'))).status === 0) return true
      await until(() => drifts() > before, { timeout: 8_000 }).catch(() => undefined)
      return false
    }
    await until(isWhole, { timeout: 60_000 })
    daemon.kill('SIGTERM')
    expect(await daemon.ended).toMatchObject({ status: 0, stderr: '' })
    expect(daemon.stdout).not.toContain('"event":"degraded"')
    expect(log).not.toContain('"event":"failed"')
  })

  it('persist in both ways, as the arguments of Redis say', async () => {
    expect(await admin.config('GET', 'appendonly')).toEqual(['appendonly', 'yes'])
    expect(await admin.config('GET', 'appendfsync')).toEqual(['appendfsync', 'everysec'])
    expect(await admin.config('GET', 'save')).toEqual(['save', '3600 1 300 100 60 10000'])
  })
})
