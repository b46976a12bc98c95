// A worker that pauses while its data in Redis is not whole, and goes on by itself. Needs ioredis 5 or newer.

import { Redis } from 'ioredis'

const { REDIS_URL = 'redis://127.0.0.1:6379/0', SYMBOLS = 'BTCUSDT,ETHUSDT' } = process.env
const symbols = SYMBOLS.split(',')

const redis = new Redis(REDIS_URL, {
  // What cannot be sent now must not be sent later, to a Redis that has lost its data meanwhile.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  commandTimeout: 2_000,
  retryStrategy: () => 250,
})
const ears = new Redis(REDIS_URL, { autoResubscribe: false, retryStrategy: () => 250 })
for (const connection of [redis, ears]) connection.on('error', () => {})

/** Ends the rest that is going on. */
let wake = () => {}
// Listen first and ask then: what happens in between is heard. A message only says that it is time to ask.
ears.on('ready', () => void ears.subscribe('rekindle:events').then(() => wake(), wake))
ears.on('message', () => wake())

/** The symbols that this worker works for at the moment. */
let running = new Set<string>()

/** A mark counts if the process that answers has been given it: one that was loaded with old data has not been checked. */
function counts(mark: unknown, info: unknown): boolean {
  const runId = /^run_id:(\w+)/m.exec(String(info))?.[1]
  return runId !== undefined && String(mark).startsWith(`${runId}:`)
}

/** Asks which symbols are whole; none, if that cannot be asked. */
async function look(): Promise<void> {
  const asked = Promise.all([redis.info('server'), redis.hmget('rekindle:ready', ...symbols)])
  const [info, marks] = await asked.catch(() => ['', []] as const)
  const ready = new Set(symbols.filter((_, i) => counts(marks[i], info)))
  tell(
    'paused',
    [...running].filter((symbol) => !ready.has(symbol)),
  )
  tell(
    'resumed',
    [...ready].filter((symbol) => !running.has(symbol)),
  )
  running = ready
}

/** The worker's own work. The mark is read along with the values, so that what was lost a moment ago is never taken for truth. */
async function work(symbol: string): Promise<void> {
  const read = redis.multi().info('server').hget('rekindle:ready', symbol).hgetall(`indicator:${symbol}:m1`).exec()
  const [info, mark, values] = (await read)?.map(([, reply]) => reply) ?? []
  if (counts(mark, info)) console.log(JSON.stringify({ event: 'worked', symbol, values }))
}

function tell(event: 'paused' | 'resumed', names: string[]): void {
  if (names.length > 0) console.log(JSON.stringify({ event, symbols: names }))
}

for (;;) {
  // A second, or less if there is news.
  const rest = new Promise<void>((resolve) => {
    wake = resolve
    setTimeout(resolve, 1_000)
  })
  await look()
  await Promise.all([...running].map((symbol) => work(symbol).catch(() => {})))
  await rest
}
