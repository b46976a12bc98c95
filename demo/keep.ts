import type { RunningRedis } from '../lab/redis.js'
import type { Journal, Line } from './journal.js'
import type { Rekindle } from './rekindle.js'
import type { Screen } from './screen.js'

export interface Kept {
  redis: RunningRedis
  databaseUrl: string
  rekindle: Rekindle
  journal: Journal
}

const formats = { error: 'red', warn: 'yellow', info: 'green' } as const

/** Says how to connect, and then what the daemon reports, until a signal ends the process; rejects if the daemon ends. */
export async function keepRunning({ redis, databaseUrl, rekindle, journal }: Kept, screen: Screen): Promise<void> {
  const help = [
    ['wipe it', `redis-cli -p ${redis.port} FLUSHALL`],
    ['truth', `psql ${databaseUrl}`],
    ['compare', `node dist/main.js verify --config ${rekindle.config}`],
    ['log', `tail -f ${rekindle.log}`],
  ]
  screen.say()
  screen.say('Everything keeps running until Ctrl-C. What Rekindle reports appears below.')
  screen.say()
  for (const [what = '', how] of help) screen.say(`  ${screen.paint('dim', what.padEnd(7))}  ${how}`)
  screen.say()
  await journal.until(journal.lines.length, (line) => void screen.say(tell(line, screen)))
}

function tell({ time, level, msg }: Line, screen: Screen): string {
  const clock = new Date(time).toTimeString().slice(0, 8)
  return `${screen.paint('dim', clock)} ${screen.paint(formats[level as keyof typeof formats] ?? 'reset', msg)}`
}
