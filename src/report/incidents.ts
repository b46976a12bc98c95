/** Losses as the board keeps them: what was lost, when and why, and how it came back. */

import type { Cause } from '../model.js'
import type { ClassLoss, LogEvent } from './events.js'
import { explain } from './evidence.js'
import { cut, keepLast } from './ring.js'

/** How many losses are kept, and how many classes of one. */
export const INCIDENTS = 50
const CLASSES = 20

export interface Incident {
  readonly id: number
  readonly cause: Cause
  /** Other causes of what it lost. */
  others: readonly Cause[]
  /** How many losses were confirmed. */
  losses: number
  /** When it was first alerted, in epoch ms. */
  readonly at: number
  readonly keysLost: number
  readonly keysIncomplete: number
  symbolsLost: number
  /** The first few names. */
  readonly symbols: readonly string[]
  readonly wholeAt: string | undefined
  readonly detectMs: number
  readonly classes: readonly ClassLoss[]
  /** Sentences about how it came about. */
  readonly evidence: readonly string[]
  /** How many symbols are back so far. */
  symbolsBack: number
  healed: Healed | undefined
  /** Keys that a backup gave back. */
  recovered: Recovered | undefined
}

export interface Healed {
  /** When it was over, in epoch ms. */
  readonly at: number
  /** From the loss to the last key verified, in ms. */
  readonly healMs: number
  readonly keys: number
  readonly samples: number
  readonly fields: number
  readonly symbols: number
  /** Keys that were lost, and those of them that PostgreSQL no longer wants. */
  readonly lost: number
  readonly unwanted: number
  /** The first few names of these. */
  readonly unwantedKeys: readonly string[]
}

export type Recovered =
  | { readonly at: number; readonly keys: number; readonly file: string; readonly takenAt: string }
  | { readonly at: number; readonly failure: string; readonly hint: string }

type EventOf<Name extends LogEvent['event']> = Extract<LogEvent, { event: Name }>

/** Takes in a loss; true if an incident that was over is open again with it. */
export function addLoss(incidents: Incident[], event: EventOf<'data_loss'>, at: number): boolean {
  const known = event.reopened ? incidents.findLast(({ id }) => id === event.incident) : undefined
  if (known) {
    known.losses++
    known.healed = undefined
    known.symbolsLost = event.symbols_lost
    known.symbolsBack = 0
    return true
  }
  const incident: Incident = {
    id: event.incident,
    cause: event.cause,
    others: othersOf(event),
    losses: 1,
    at,
    keysLost: event.keys_lost,
    keysIncomplete: Object.values(event.keys_incomplete).reduce((sum, count) => sum + count, 0),
    symbolsLost: event.symbols_lost,
    symbols: event.symbols.slice(0, 10).map((symbol) => cut(symbol, 60)),
    wholeAt: event.last_seen_whole_at,
    detectMs: event.time_to_detect_ms,
    classes: event.classes.slice(0, CLASSES).map(shortClass),
    evidence: explain(event.evidence),
    symbolsBack: 0,
    healed: undefined,
    recovered: undefined,
  }
  keepLast(incidents, incident, INCIDENTS)
  return false
}

function othersOf({ cause, causes }: EventOf<'data_loss' | 'healed'>): Cause[] {
  return causes.filter((each) => each !== cause)
}

/** Takes in one more loss of an incident. */
export function addJoined(incidents: readonly Incident[], event: EventOf<'loss_joined'>): void {
  const incident = incidents.findLast(({ id }) => id === event.incident)
  if (!incident) return
  incident.losses++
  incident.symbolsLost = event.symbols_lost
  incident.symbolsBack = Math.max(0, event.symbols_lost - event.symbols_lacking)
  const { cause, others } = incident
  if (event.cause !== cause && !others.includes(event.cause)) incident.others = [...others, event.cause]
}

/** Closes a loss and the earlier ones that it took over. */
export function addHealed(incidents: readonly Incident[], event: EventOf<'healed'>, at: number): void {
  const { incident: id, supersedes } = event
  closeAll(
    incidents.filter((incident) => supersedes.includes(incident.id)),
    at,
  )
  // The number is that of an earlier one, too, where the daemon has begun anew.
  const incident = incidents.findLast((each) => each.id === id)
  if (!incident) return
  const { time_to_heal_ms: healMs, keys, samples, fields, symbols, keys_lost: lost, keys_unwanted: unwanted } = event
  const unwantedKeys = event.unwanted_keys.slice(0, 5).map((key) => cut(key, 100))
  incident.healed = { at, healMs, keys, samples, fields, symbols, lost, unwanted, unwantedKeys }
  incident.others = othersOf(event)
  incident.symbolsBack = incident.symbolsLost
}

/** Closes what was interrupted, or taken over by another loss: it is over now that everything is whole. */
export function closeAll(incidents: readonly Incident[], at: number): void {
  for (const incident of incidents) {
    if (incident.healed) continue
    const healMs = Math.max(0, at - incident.at + incident.detectMs)
    const nothing = { keys: 0, samples: 0, fields: 0, symbols: 0, lost: 0, unwanted: 0, unwantedKeys: [] }
    incident.healed = { at, healMs, ...nothing }
    incident.symbolsBack = incident.symbolsLost
  }
}

/** Takes in that a symbol of an incident is back. */
export function addSymbolHealed(incidents: readonly Incident[], id: number | undefined): void {
  const incident = incidents.findLast((each) => each.id === id)
  if (incident) incident.symbolsBack = Math.min(incident.symbolsLost, incident.symbolsBack + 1)
}

/** Takes in what a backup gave back, or why it could not. */
export function addRecovery(incidents: readonly Incident[], id: number, recovered: Recovered): void {
  const incident = incidents.findLast((each) => each.id === id)
  if (incident) incident.recovered = recovered
}

function shortClass(loss: ClassLoss): ClassLoss {
  return {
    ...loss,
    match: loss.match && cut(loss.match, 100),
    impact: loss.impact && cut(loss.impact),
    comes_back: cut(loss.comes_back),
  }
}
