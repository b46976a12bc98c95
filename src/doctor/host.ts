import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { HostFacts } from '../decide/risks-facts.js'
import { seen } from '../seen.js'
import { mountOf } from './mounts.js'

/** Ticks a second in /proc/<pid>/stat: USER_HZ, 100 on every Linux that runs Node. */
const TICKS = 100
/** How far the start of a process may be from what the server says, in seconds: its uptime has no fractions. */
const TOLERANCE = 3
const SERVERS = /redis|valkey|keydb/

/**
 * What the machine tells of the server that INFO describes, or undefined if it does not run here (a container's server counts as here,
 * if its processes can be seen). `dir` is its data directory, `backups` the folder of the backups.
 */
export async function readHost(
  info: ReadonlyMap<string, string>,
  dir: string | undefined,
  backups: string,
): Promise<HostFacts | undefined> {
  const pid = await findProcess(info)
  if (pid === undefined) return undefined
  const rss = Number(info.get('used_memory_rss') || Number.NaN)
  const [overcommit, free, group, mountinfo, own, path] = await Promise.all([
    read('/proc/sys/vm/overcommit_memory'),
    read('/proc/meminfo'),
    readLimit(pid),
    read(`/proc/${pid}/mountinfo`),
    read('/proc/self/mountinfo'),
    dir === undefined ? undefined : realPath(pid, dir),
  ])
  // Another user's process lets nobody through its root; where it sees the mounts that we see, its paths are ours.
  const outside = path !== undefined && mountinfo === own ? [path] : []
  const available = Number(/^MemAvailable:\s+(\d+) kB/m.exec(free)?.[1] ?? Number.NaN) * 1_024
  const left = group === undefined || Number.isNaN(rss) ? available : Math.min(available, Math.max(0, group - rss))
  return {
    overcommit: overcommit === '' ? undefined : Number(overcommit),
    available: Number.isNaN(left) ? undefined : left,
    limit: group,
    mount: path === undefined ? undefined : mountOf(mountinfo, path),
    sharesDisk: path === undefined ? undefined : await shareDisk([`/proc/${pid}/root${path}`, ...outside], backups),
  }
}

/** The one process here that can be that server; undefined if there is none, or no telling them apart. */
async function findProcess(info: ReadonlyMap<string, string>): Promise<number | undefined> {
  const own = Number(info.get('process_id'))
  if (!own) return undefined
  const boot = Number(/^btime (\d+)/m.exec(await read('/proc/stat'))?.[1])
  const began = Date.now() / 1_000 - Number(info.get('uptime_in_seconds'))
  const port = info.get('tcp_port')
  const names = await seen(readdir('/proc'), [])
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number)
  const isIt = async (pid: number): Promise<boolean> => {
    const status = await read(`/proc/${pid}/status`)
    // The last number is what the process calls itself, in its container.
    const itself = /^NSpid:.*\s(\d+)$/m.exec(status)?.[1] ?? pid
    if (Number(itself) !== own || !SERVERS.test(/^Name:\s(.*)$/m.exec(status)?.[1] ?? '')) return false
    const title = (await read(`/proc/${pid}/cmdline`)).split('\0')[0] ?? ''
    const shown = /:(\d+)(?: \[\w+\])?\s*$/.exec(title)?.[1]
    if (shown !== undefined && shown !== port) return false
    // Behind the name, which may hold anything but ends with the last parenthesis.
    const fields = (await read(`/proc/${pid}/stat`)).replace(/^.*\) /s, '').split(' ')
    return Math.abs(boot + Number(fields[19]) / TICKS - began) <= TOLERANCE
  }
  const matches = await Promise.all(pids.map(isIt))
  const found = pids.filter((_, i) => matches[i])
  return found.length === 1 ? found[0] : undefined
}

/** The path behind links, as the server sees it; as it stands where we may not look. */
async function realPath(pid: number, dir: string): Promise<string> {
  const root = `/proc/${pid}/root`
  const real = await seen(realpath(root + dir), undefined)
  if (real === undefined) return dir
  return real.startsWith(root) ? real.slice(root.length) || '/' : real
}

/** The least memory limit of the control groups of a process. */
async function readLimit(pid: number): Promise<number | undefined> {
  const groups = await read(`/proc/${pid}/cgroup`)
  const limits: number[] = []
  for (const line of groups.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (path === undefined || (controllers !== '' && controllers !== 'memory')) continue
    const [root, file] =
      controllers === '' ? ['/sys/fs/cgroup', 'memory.max'] : ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes']
    const parts = path.split('/').filter(Boolean)
    for (let depth = 0; depth <= parts.length; depth++) {
      const limit = Number((await read(join(root, ...parts.slice(0, depth), file))) || Number.NaN)
      // Without a limit version 1 says a number near 2^63, version 2 `max`.
      if (limit > 0 && limit < 2 ** 60) limits.push(limit)
    }
  }
  return limits.length > 0 ? Math.min(...limits) : undefined
}

/** Whether two folders lie on one file system; the first that can be seen of `data` counts. */
async function shareDisk(data: readonly string[], backups: string): Promise<boolean | undefined> {
  const device = async (path: string): Promise<number | undefined> => (await seen(stat(path), undefined))?.dev
  const [theirs, ...ours] = await Promise.all([backups, ...data].map(device))
  const its = ours.find((each) => each !== undefined)
  return theirs === undefined || its === undefined ? undefined : theirs === its
}

async function read(path: string): Promise<string> {
  return (await seen(readFile(path, 'utf8'), '')).trim()
}
