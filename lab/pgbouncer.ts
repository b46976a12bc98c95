import { chownSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runSql } from './databases.js'
import { findProgram } from './find-redis.js'
import { freePort } from './port.js'
import { serverUser } from './postgres-programs.js'
import { ownFolder, removeFolder, Server } from './processes.js'

/** Where Debian puts it: outside the PATH of ordinary users. */
const PLACE = '/usr/sbin/pgbouncer'

/** Full path of the program, or undefined where it is not installed. */
export function findPgBouncer(): string | undefined {
  return findProgram('pgbouncer') ?? (existsSync(PLACE) ? PLACE : undefined)
}

/** A PgBouncer of our own, bound to 127.0.0.1. */
export interface RunningPgBouncer {
  readonly port: number
  /** The same URL with the pooler's address in place of the server's. */
  url(serverUrl: string): string
  /** Changes its configuration under way, and ends no connection of a client. */
  follow(serverPort: number, settings?: Record<string, string>): Promise<void>
  stop(): Promise<void>
}

/** Starts a PgBouncer, with its defaults unless `settings` say otherwise, in front of a PostgreSQL of `lab`. */
export async function startPgBouncer(
  serverPort: number,
  settings: Record<string, string> = {},
): Promise<RunningPgBouncer> {
  const command = findPgBouncer()
  if (command === undefined) throw new Error('pgbouncer is not installed')
  const user = serverUser()
  const dir = ownFolder('pgbouncer')
  const port = await freePort()
  const config = join(dir, 'pgbouncer.ini')
  const users = join(dir, 'users.txt')
  const write = (target: number, more: Record<string, string>): void => {
    const all = {
      listen_addr: '127.0.0.1',
      listen_port: port,
      unix_socket_dir: '',
      auth_type: 'any',
      admin_users: 'admin',
      auth_file: users,
      ...more,
    }
    const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`)
    const server = `* = host=127.0.0.1 port=${target} user=postgres password=rekindle`
    writeFileSync(config, `[databases]\n${server}\n[pgbouncer]\n${lines.join('\n')}\n`)
  }
  writeFileSync(users, '"postgres" "rekindle"\n"admin" "rekindle"\n')
  write(serverPort, settings)
  if (user) for (const path of [dir, config, users]) chownSync(path, user.uid, user.gid)
  const server = new Server({
    dir,
    command,
    args: [config],
    endCommand: (pid) => `kill -s QUIT ${pid}`,
    ...user,
  })
  const url = (serverUrl: string): string => Object.assign(new URL(serverUrl), { port: String(port) }).href
  const admin = `postgres://admin:rekindle@127.0.0.1:${port}/pgbouncer`
  await server.untilReady('pgbouncer', async () => {
    await runSql(admin, 'SHOW VERSION')
    return true
  })
  return {
    port,
    url,
    follow: async (target, more = settings) => {
      write(target, more)
      await runSql(admin, 'RELOAD')
    },
    stop: async () => {
      server.signal('SIGQUIT')
      await server.untilEnded()
      removeFolder(dir)
    },
  }
}
