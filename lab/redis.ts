import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { redisContainer } from './docker.js'
import { findRedis } from './find-redis.js'
import { freePort } from './port.js'
import { endWith, ownFolder, removeFolder, Server } from './processes.js'

/** What may be asked of a server of our own. */
export interface RedisOptions {
  /** Load RedisTimeSeries if it is found; true unless said otherwise. */
  modules?: boolean
  /** More arguments of redis-server, for instance `['--appendonly', 'yes']`; they win over the defaults. */
  args?: string[]
  /** Lines of an ACL file, for instance `['user rekindle on >secret ~* +@all']`; the default user stays as it is. */
  acl?: string[]
  /** Password of the default user. */
  password?: string
  /** A fixed port on 127.0.0.1; a free one is taken otherwise. */
  port?: number
  /** A folder of the caller's for the server's data, which `stop` leaves alone. */
  dir?: string
}

/** A redis-server of our own, bound to 127.0.0.1, which does not persist anything unless `args` say so. */
export interface RunningRedis {
  readonly url: string
  readonly host: string
  readonly port: number
  readonly pid: number
  readonly dir: string
  /** Whether it has the commands of RedisTimeSeries. */
  readonly hasTimeSeries: boolean
  /** Ends the process, SIGKILL by default, and keeps its folder. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again on the same port and folder, this once with more arguments; resolves when its data is loaded. */
  start(extraArgs?: string[]): Promise<void>
  /** Freezes the process: its sockets stay open and nothing is answered. */
  pause(): void
  /** Ends the freeze. */
  resume(): void
  /** Ends the process and removes its folder. */
  stop(): Promise<void>
  /** Sends one command over a connection of its own; rejects with Redis's error. */
  cli(...command: (string | number | Buffer)[]): Promise<unknown>
}

// A module that lies about but does not fit this server; found out by the first start.
let unfit: string | undefined

/** Starts a redis-server; rejects with the end of its log if it does not come up. */
export async function startRedis(options: RedisOptions = {}): Promise<RunningRedis> {
  const { REDIS_TIMESERIES_MODULE: named } = process.env
  for (let attempt = 1; ; attempt++) {
    const { server, module } = findRedis()
    const loaded = options.modules === false || module === unfit ? undefined : module
    const redis = new OwnRedis(options, options.port ?? (await freePort()), server, loaded)
    try {
      await redis.start()
      return redis
    } catch (error) {
      await redis.stop()
      const taken = String(error).includes('in use') && options.port === undefined && attempt < 5
      if (loaded !== undefined && loaded !== named && String(error).includes(loaded)) unfit = loaded
      else if (!taken) throw error
    }
  }
}

class OwnRedis implements RunningRedis {
  readonly host = '127.0.0.1'
  readonly port: number
  readonly url: string
  readonly dir: string
  hasTimeSeries = false
  readonly #folder = ownFolder('redis')
  readonly #options: RedisOptions
  readonly #program: string | undefined
  readonly #module: string | undefined
  #server: Server | undefined
  #signal: (signal: NodeJS.Signals) => void = () => {}

  constructor(options: RedisOptions, port: number, program: string | undefined, module: string | undefined) {
    this.#options = options
    this.#program = program
    this.#module = module
    this.port = port
    this.dir = options.dir ?? this.#folder
    const password = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`
    this.url = `redis://${password}${this.host}:${port}/0`
    if (options.acl) writeFileSync(join(this.#folder, 'users.acl'), `${options.acl.join('\n')}\n`)
  }

  get pid(): number {
    return this.#server?.pid ?? 0
  }

  async start(extraArgs: string[] = []): Promise<void> {
    this.#launch(extraArgs)
    await this.#server?.untilReady('redis-server', async () => {
      const answer = await this.cli('PING').catch((error: Error) => error)
      // Any answer but LOADING will do: a server with users of its own may refuse this one.
      return answer === 'PONG' || (answer instanceof Error && /^(NOAUTH|NOPERM|WRONGPASS)/.test(answer.message))
    })
    const [known] = (await this.cli('COMMAND', 'INFO', 'TS.MADD').catch(() => [null])) as unknown[]
    this.hasTimeSeries = known !== null
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#server?.running) this.#signal(signal)
    await this.#server?.untilEnded()
    endWith(this.#folder, ':')
  }

  pause(): void {
    this.#signal('SIGSTOP')
  }

  resume(): void {
    this.#signal('SIGCONT')
  }

  async stop(): Promise<void> {
    await this.kill()
    removeFolder(this.#folder)
  }

  async cli(...command: (string | number | Buffer)[]): Promise<unknown> {
    const connection = new Redis(this.url, {
      lazyConnect: true,
      enableReadyCheck: false,
      retryStrategy: () => null,
      connectTimeout: 2_000,
      commandTimeout: 10_000,
    })
    connection.on('error', () => {})
    try {
      await connection.connect()
      const [name, ...args] = command
      return await connection.call(String(name), ...args)
    } finally {
      connection.disconnect()
    }
  }

  #launch(extraArgs: string[]): void {
    const { acl, password, args = [] } = this.#options
    const all = [
      '--port',
      String(this.port),
      '--dir',
      this.dir,
      '--save',
      '',
      '--appendonly',
      'no',
      '--daemonize',
      'no',
    ]
    if (acl) all.push('--aclfile', join(this.#folder, 'users.acl'))
    if (password !== undefined) all.push('--requirepass', password)
    all.push(...args, ...extraArgs)
    if (this.#program === undefined) {
      const modules = this.#options.modules !== false
      const container = redisContainer(this.#folder, this.dir, this.port, modules, all)
      this.#server = new Server(container.launch)
      this.#signal = container.signal
      return
    }
    const server = new Server({
      dir: this.#folder,
      command: this.#program,
      args: [...all, '--bind', this.host, ...(this.#module === undefined ? [] : ['--loadmodule', this.#module])],
      endCommand: (pid) => `kill -s KILL -- -${pid}`,
    })
    this.#server = server
    this.#signal = (signal) => server.signal(signal)
  }
}
