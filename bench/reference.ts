import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { findProgram } from '../lab/find-redis.js'
import { ownFolder } from '../lab/processes.js'
import type { RunningRedis } from '../lab/redis.js'
import type { Layout } from './daemon.js'
import { aggregatedSql, rowSql, settings } from './reference-sql.js'

/** What people do today to fill a Redis: a pipeline of programs, run to its end. Returns the time it took in ms. */
export type Reference = (redis: RunningRedis) => Promise<number>

export interface References {
  /** `redis-cli --pipe` with ready-made commands in a file. */
  readonly file: Reference | undefined
  /** `psql | redis-cli --pipe`, a command a row. */
  readonly rows: Reference | undefined
  /** The same with a command a series. */
  readonly aggregated: Reference | undefined
  /** What is missing on this machine, as a sentence. */
  readonly missing: string | undefined
}

/** Prepares the references for one layout and database: nothing of that is part of their time. */
export async function prepareReferences(layout: Layout, databaseUrl: string): Promise<References> {
  const dir = ownFolder('reference')
  const write = (name: string, content: string | Buffer): string => {
    const path = join(dir, name)
    writeFileSync(path, content)
    return path
  }
  const [cli, psql] = [findProgram('redis-cli'), findProgram('psql')]
  const missing = [...(cli ? [] : ['redis-cli']), ...(psql ? [] : ['psql'])]
  const fromPsql = (path: string): Reference | undefined =>
    cli && psql
      ? (redis) => pipe(redis, `"${psql}" -qAtX -d "$1" -f "$2" | "${cli}" -p "$3" --pipe`, databaseUrl, path)
      : undefined
  const file = write('commands', await readyMade(layout, databaseUrl))
  return {
    file: cli ? (redis) => pipe(redis, `"${cli}" -p "$3" --pipe < "$2"`, databaseUrl, file) : undefined,
    rows: fromPsql(write('rows.sql', rowSql(layout))),
    aggregated: fromPsql(write('aggregated.sql', settings + aggregatedSql(layout))),
    missing: missing.length > 0 ? `no reference without ${missing.join(' and ')}, which this machine lacks` : undefined,
  }
}

/** Runs a shell command; rejects unless `redis-cli --pipe` reports replies and no error. */
async function pipe({ port }: RunningRedis, command: string, databaseUrl: string, path: string): Promise<number> {
  const began = performance.now()
  const shell = spawn('sh', ['-c', command, 'sh', databaseUrl, path, String(port)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const chunks: string[] = []
  for (const stream of [shell.stdout, shell.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk.toString()))
  await once(shell, 'close')
  const took = performance.now() - began
  const output = chunks.join('')
  if (!/errors: 0, replies: [1-9]/.test(output)) throw new Error(`a reference failed:\n${output.slice(0, 2_000)}`)
  return took
}

/** The very commands that a restore needs, as bytes of the protocol: TS.CREATE and TS.MADD of 250, or ZADD of 250, and HSET. */
async function readyMade(layout: Layout, databaseUrl: string): Promise<Buffer> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query<{ command: string }>(aggregatedSql(layout))
    return Buffer.from(
      rows
        .flatMap(({ command }) => command.split('\n'))
        .map(toProtocol)
        .join(''),
    )
  } finally {
    await client.end()
  }
}

/** An inline command in the protocol that clients speak. */
function toProtocol(command: string): string {
  const args = command.split(' ').map((arg) => arg.replace(/^'(.*)'$/, '$1'))
  return `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`
}
