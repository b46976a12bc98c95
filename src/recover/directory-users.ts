import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Trouble } from '../errors.js'
import { connectRedis } from '../redis/connect.js'
import { seen } from '../seen.js'

/** Servers that write into the directory that they stand in, though they have no file of it open most of the time. */
const SERVERS = /(redis|valkey|keydb)-server/

/**
 * Rejects with a Trouble `folder_in_use` if the Redis of this URL keeps its files in a directory, any process has a file of it open,
 * or a redis-server stands in it: that changes into its `dir`. What the system does not let us see is not seen.
 */
export async function checkUnused(dir: string, redisUrl: string): Promise<void> {
  const used = await findProcess(dir)
  if (used) throw inUse(dir, `process ${used.pid} (${used.name}) uses it`, 'stop it first, and leave the folder')
  const server = await findServer(dir, redisUrl)
  const hint = 'stop it first; if it is on another machine, name the server of this folder by REDIS_URL'
  if (server) throw inUse(dir, `the Redis of redis.url, process ${server}, keeps its files there`, hint)
}

function inUse(dir: string, why: string, hint: string): Trouble {
  return new Trouble('folder_in_use', `${dir} is in use: ${why}`, hint, false)
}

/** The process of the live Redis, if this is its directory. One that cannot be asked is not known to use it. */
async function findServer(dir: string, url: string): Promise<string | undefined> {
  // It is stopped, as it should be, or another's: the processes here have been looked at.
  const redis = await connectRedis(url, 'rekindle-recover').catch(() => undefined)
  try {
    // It does not tell: then its process here would.
    const [, its] = ((await redis?.config('GET', 'dir').catch(() => [])) ?? []) as string[]
    if (!its || !(await isSame(its, dir))) return undefined
    return /process_id:(\d+)/.exec((await redis?.info('server')) ?? '')?.[1] ?? '?'
  } finally {
    redis?.disconnect()
  }
}

async function findProcess(dir: string): Promise<{ pid: string; name: string } | undefined> {
  const all = (await seen(readdir('/proc'), [])).filter((name) => /^\d+$/.test(name))
  const ours = await ownLine()
  for (const pid of all) {
    if (ours.has(pid)) continue
    const proc = join('/proc', pid)
    if ((await hasOpen(join(proc, 'fd'), dir)) || ((await isSame(join(proc, 'cwd'), dir)) && (await isServer(proc)))) {
      const name = await seen(readFile(join(proc, 'comm'), 'utf8'), '?')
      return { pid, name: name.trim() }
    }
  }
  return undefined
}

async function hasOpen(descriptors: string, dir: string): Promise<boolean> {
  const names = await seen(readdir(descriptors), [])
  const targets = await Promise.all(names.map((name) => seen(readlink(join(descriptors, name)), '')))
  return targets.some((target) => target.startsWith(`${dir}/`))
}

/** By its program, or by what it calls itself: a file of another name may be run, and a title changed. */
async function isServer(proc: string): Promise<boolean> {
  const names = await Promise.all([
    seen(readlink(join(proc, 'exe')), ''),
    seen(readFile(join(proc, 'comm'), 'utf8'), ''),
    seen(readFile(join(proc, 'cmdline'), 'utf8'), ''),
  ])
  return names
    .map((name) => name.split('\0')[0] ?? '')
    .some((name) => SERVERS.test(name.slice(name.lastIndexOf('/') + 1)))
}

/** We ourselves, and the shell that we were called from: it may well stand in the directory. */
async function ownLine(): Promise<ReadonlySet<string>> {
  const line = new Set<string>()
  let pid = String(process.pid)
  while (pid !== '0' && !line.has(pid)) {
    line.add(pid)
    const text = await seen(readFile(join('/proc', pid, 'stat'), 'utf8'), '')
    // The name in parentheses may hold anything; state and parent follow it.
    pid = text.slice(text.lastIndexOf(')') + 2).split(' ')[1] ?? '0'
  }
  return line
}

async function isSame(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map((path) => seen(stat(path), undefined)))
  return one !== undefined && one.dev === other?.dev && one.ino === other.ino
}
