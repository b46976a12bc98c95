import { persists, type ReplicaFacts } from '../decide/risks-facts.js'
import { connectWire } from '../redis/connect.js'
import { readServer, type Unchecked } from './facts.js'

/** How long a replica may take to answer, in ms. */
const LIMIT = 2_000
/** How many replicas are asked. */
const MOST = 16

/** Asks the replicas that INFO names whether they write to disk, with the user and password of `url`. */
export async function readReplicas(
  info: ReadonlyMap<string, string>,
  url: string,
): Promise<{ replicas: ReplicaFacts[]; unchecked: Unchecked[] }> {
  const addresses = [...info].flatMap(([name, value]) => {
    const [, ip, port] = (/^slave\d+$/.test(name) && /^ip=([^,]+),port=(\d+),/.exec(value)) || []
    return ip === undefined || port === undefined ? [] : [{ ip, port }]
  })
  const replicas: ReplicaFacts[] = []
  const unchecked: Unchecked[] = []
  const asked = addresses.slice(0, MOST).map(async ({ ip, port }) => {
    const name = `${ip}:${port}`
    try {
      replicas.push(await askReplica(name, sibling(url, ip, port)))
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      unchecked.push({ what: `the replica ${name}`, why: `it did not answer: ${why}`, grant: '' })
    }
  })
  await Promise.all(asked)
  return { replicas, unchecked }
}

async function askReplica(name: string, url: string): Promise<ReplicaFacts> {
  const connecting = connectWire(url, 'rekindle-doctor')
  // One that comes too late is closed all the same.
  const close = (): void => void connecting.then((wire) => wire.close()).catch(() => undefined)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing within ${LIMIT} ms`)), LIMIT)
  })
  try {
    const { state } = await Promise.race([connecting.then(readServer), late])
    return { name, persists: persists(state), keys: state.allKeys }
  } finally {
    clearTimeout(timer)
    close()
  }
}

/** The URL of another server with the same scheme, user and password. */
function sibling(url: string, ip: string, port: string): string {
  const address = new URL(url)
  address.hostname = ip.includes(':') ? `[${ip}]` : ip
  address.port = port
  address.pathname = '/0'
  return address.href
}
