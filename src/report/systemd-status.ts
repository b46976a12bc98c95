import type { LogEvent } from './events.js'
import { isWhole } from './sentences.js'

type Down = 'redis' | 'postgres'

/** The state of the daemon as one line for `systemctl status`: a fold of its events. */
export class StatusLine {
  private doing = 'starting'
  private symbols = 0
  private incident: { cause: string; lost: number; healed: Set<string>; losses: number; isBack: boolean } | undefined
  private last: { at: number; said: string } | undefined
  private readonly down = new Map<Down, string>()
  private readonly lacking = new Set<string>()

  constructor(private readonly clock: () => number = Date.now) {}

  /** Takes in an event. */
  take(event: LogEvent): void {
    switch (event.event) {
      case 'starting':
        this.doing = 'looking at Redis for the first time'
        break
      case 'redis_up':
        // Said once more, since it has been so for a while.
        if (event.stable_for_ms !== undefined) break
        this.down.delete('redis')
        this.doing = 'Redis answers, looking at what it holds'
        break
      case 'redis_down':
        this.down.set('redis', event.reason)
        break
      case 'postgres_down':
        this.down.set('postgres', event.reason)
        break
      case 'postgres_up':
        this.down.delete('postgres')
        break
      case 'watching':
        this.symbols = event.symbols
        this.doing = ''
        break
      case 'symbols':
        this.symbols = event.total
        break
      case 'data_loss':
        this.incident = lossOf(event, 1)
        break
      case 'loss_joined':
        this.incident = lossOf(event, 1 + (this.incident?.losses ?? 0))
        break
      case 'all_back':
        if (this.incident) this.incident.isBack = true
        break
      case 'symbol_healed':
        this.incident?.healed.add(event.symbol)
        break
      case 'healed':
        this.incident = undefined
        this.last = { at: this.clock(), said: `${event.cause}, ${healedIn(event)}` }
        break
      case 'degraded':
        this.lacking.add(event.what)
        break
      case 'recovered':
        this.lacking.delete(event.what)
        break
      case 'stopping':
        this.doing = 'stopping'
        break
    }
  }

  /** The line as of now. */
  toString(): string {
    const lacking = this.lacking.size > 0 ? `; degraded: ${[...this.lacking].join(', ')}` : ''
    return `${this.main()}${lacking}`
  }

  private main(): string {
    const { incident, doing, symbols, last, clock } = this
    if (doing === 'stopping') return doing
    const redis = this.down.get('redis')
    if (redis) return `waiting: ${redis}`
    const waiting = this.down.get('postgres')
    const but = waiting ? `, waiting: ${waiting}` : ''
    if (incident) {
      const { healed, lost, cause, losses, isBack } = incident
      if (isBack) return `all is back, waiting for whether more is lost (${cause}, ${losses} times)${but}`
      return `healing ${healed.size}/${Math.max(lost, healed.size)} symbols (${cause})${but}`
    }
    if (doing) return doing + but
    const ago = last ? `, last loss ${sayTime(clock() - last.at, true)} ago: ${last.said}` : ''
    return `watching ${symbols} symbols${ago}${but}`
  }
}

type EventOf<Name extends LogEvent['event']> = Extract<LogEvent, { event: Name }>

function lossOf({ cause, symbols_lost }: EventOf<'data_loss' | 'loss_joined'>, losses: number) {
  return { cause, lost: symbols_lost, healed: new Set<string>(), losses, isBack: false }
}

/** Not all that was lost need have come back. */
function healedIn({ time_to_heal_ms, keys_lost, keys_back, keys_unwanted, unseen }: EventOf<'healed'>): string {
  const time = sayTime(time_to_heal_ms)
  return isWhole({ keys_unwanted, unseen }) ? `healed in ${time}` : `${keys_back} of ${keys_lost} keys back in ${time}`
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const

/** A time in its largest unit; a coarse one knows nothing below a minute, so that the line does not change all the time. */
function sayTime(ms: number, coarse = false): string {
  if (coarse && ms < 60_000) return 'less than 1 min'
  const [unit, size] = UNITS.find(([, size]) => ms >= size) ?? ['ms', 1]
  return `${Math.floor(ms / size)} ${unit}`
}
