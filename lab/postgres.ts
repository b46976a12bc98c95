import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createDatabase, dropDatabase, runSql } from './databases.js'
import { freePort } from './port.js'
import { postgresPrograms, serverUser, type User } from './postgres-programs.js'
import { endWith, ownFolder, removeFolder, Server } from './processes.js'

const password = 'rekindle'
const defaults = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '32MB',
  fsync: 'off',
  timezone: 'UTC',
}

/** Settings of postgresql.conf that win over the defaults, for instance `{ max_connections: '5' }`. */
export interface PostgresOptions {
  settings?: Record<string, string>
}

/** A PostgreSQL of our own, bound to 127.0.0.1, user `postgres` with a password. */
export interface RunningPostgres {
  /** The superuser's URL of the database `postgres`. */
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Ends it and removes its folder. */
  stop(): Promise<void>
  /** Ends all connections and starts again with the same data and port. */
  restart(): Promise<void>
  /** Ends it at once, as a crash would, and keeps its data. */
  kill(): Promise<void>
  /** Starts it again after `kill`. */
  start(): Promise<void>
  /** Creates a database, copied from `template` if given, and returns its URL. */
  createDatabase(name?: string, template?: string): Promise<string>
  /** Stops it for a moment and starts a second server with a copy of its data: on its own, or as a standby that follows this one. */
  copy(as: 'own' | 'standby'): Promise<RunningPostgres>
  /** Drops a database, given by name or URL, and ends its connections. */
  dropDatabase(nameOrUrl: string): Promise<void>
}

/** Starts a new, empty PostgreSQL from the npm package; rejects with the end of its log if it does not come up. */
export async function startPostgres(options: PostgresOptions = {}): Promise<RunningPostgres> {
  for (let attempt = 1; ; attempt++) {
    const postgres = new OwnPostgres(await freePort(), { ...defaults, ...options.settings })
    try {
      await postgres.initialise()
      await postgres.start()
      return postgres
    } catch (error) {
      await postgres.stop()
      if (!String(error).includes('in use') || attempt === 5) throw error
    }
  }
}

class OwnPostgres implements RunningPostgres {
  readonly port: number
  readonly url: string
  readonly #settings: Record<string, string>
  readonly #folder = ownFolder('postgres')
  readonly #data = join(this.#folder, 'data')
  #user: User | undefined
  #programs = ''
  #server: Server | undefined

  constructor(port: number, settings: Record<string, string>) {
    this.port = port
    this.url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
    this.#settings = settings
  }

  get pid(): number {
    return this.#server?.pid ?? 0
  }

  async initialise(): Promise<void> {
    this.#user = serverUser()
    if (this.#user) chmodSync(this.#folder, 0o711)
    this.#programs = postgresPrograms(this.#user, this.#folder)
    const passwordFile = join(this.#folder, 'password')
    writeFileSync(passwordFile, password)
    mkdirSync(this.#data, { mode: 0o700 })
    if (this.#user) {
      for (const path of [passwordFile, this.#data]) chownSync(path, this.#user.uid, this.#user.gid)
    }
    const flags = ['--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8']
    const initdb = new Server({
      dir: this.#folder,
      command: join(this.#programs, 'bin', 'initdb'),
      args: [`--pgdata=${this.#data}`, ...flags, '--locale=C', '--no-sync', '--no-instructions'],
      // Only initdb itself: the server that it may be running at the moment then finishes and frees its shared memory.
      endCommand: (pid) => `kill -s KILL ${pid}; sleep 0.1; ${this.#untilUnlocked}`,
      ...this.#user,
    })
    await initdb.untilEnded()
    if (initdb.exitCode !== 0) throw new Error(`initdb failed:\n${initdb.logTail()}`)
  }

  async start(): Promise<void> {
    this.#server = new Server({
      dir: this.#folder,
      command: join(this.#programs, 'bin', 'postgres'),
      args: ['-D', this.#data, '-p', String(this.port), ...settingFlags(this.#settings)],
      // An immediate shutdown, which unlike SIGKILL leaves no shared memory behind.
      endCommand: (pid) => `kill -s QUIT ${pid} && { ${this.#untilUnlocked}; }`,
      ...this.#user,
    })
    await this.#server.untilReady('postgres', async () => {
      await runSql(this.url, 'SELECT 1')
      return true
    })
  }

  async restart(): Promise<void> {
    await this.#end('SIGINT')
    await this.start()
  }

  async kill(): Promise<void> {
    await this.#end('SIGQUIT')
  }

  async stop(): Promise<void> {
    await this.kill()
    removeFolder(this.#folder)
  }

  async copy(as: 'own' | 'standby'): Promise<RunningPostgres> {
    const follows: Record<string, string> = as === 'standby' ? { primary_conninfo: this.url } : {}
    const copy = new OwnPostgres(await freePort(), { ...this.#settings, ...follows })
    try {
      copy.#user = this.#user
      copy.#programs = this.#programs
      if (copy.#user) chmodSync(copy.#folder, 0o711)
      await this.#end('SIGINT')
      copyData(this.#data, copy.#data)
      if (as === 'standby') writeFileSync(join(copy.#data, 'standby.signal'), '')
      await this.start()
      await copy.start()
      return copy
    } catch (error) {
      await copy.stop()
      throw error
    }
  }

  createDatabase(name?: string, template?: string): Promise<string> {
    return createDatabase(this.url, name, template)
  }

  dropDatabase(nameOrUrl: string): Promise<void> {
    return dropDatabase(this.url, nameOrUrl)
  }

  // A shell command that waits until no server holds the data folder; the lock file is the last thing that a server removes.
  get #untilUnlocked(): string {
    return `for i in $(seq 200); do [ -e '${this.#data}/postmaster.pid' ] || break; sleep 0.02; done`
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#server?.signal(signal)
    await this.#server?.untilEnded()
    endWith(this.#folder, ':')
  }
}

/** With owners and permissions, which PostgreSQL insists on. */
function copyData(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-a', from, to], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

function settingFlags(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}
