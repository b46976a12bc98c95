import { steadyTime } from '../clock.js'
import type { Config } from '../config/schema.js'
import { lanesOf } from '../decide/lanes.js'
import { planTasks } from '../decide/tasks.js'
import type { Trouble } from '../errors.js'
import type { Lack } from '../model.js'
import { type Answer, namedTroubles, tell } from './answer.js'
import { type Comparison, compareAll, type Orphans, type Strays } from './comparison.js'
import { sayDuration } from './patience.js'
import { count, number } from './progress.js'
import { Restoration } from './restoration.js'
import { overLives, type Session, withSession } from './session.js'
import { awaitSymbols } from './symbols.js'

export interface VerifyOptions {
  /** Heal what lacks, and verify again. */
  readonly repair: boolean
  /** How long nothing may get done before it gives up, in ms. */
  readonly timeout: number
}

/** How many keys are listed for a person; a machine gets all. */
const LISTED = 50

/** What a verification came to. */
interface Verdict extends Comparison {
  readonly symbols: number
  readonly lacks: readonly Lack[]
  readonly orphans: readonly Orphans[]
  readonly keys: number
  readonly repaired: Restoration | undefined
  readonly took: number
}

/** Compares all of Redis with PostgreSQL. Rejects with a Trouble where it cannot look at all. */
export function verify(config: Config, { repair, timeout }: VerifyOptions): Promise<Answer> {
  return withSession(config, timeout, async (session) => {
    const startedAt = steadyTime()
    const enabled = await awaitSymbols(session)
    const lanes = lanesOf(session.datasets, enabled)
    const compare = () => overLives(session, (life, signal) => compareAll(session, lanes, life, signal))
    let comparison = await compare()
    let repaired: Restoration | undefined
    if (repair && lacksOf(comparison).length > 0) {
      repaired = await mend(session, enabled, comparison)
      comparison = await compare()
    }
    const keys = comparison.looks.reduce((total, look) => total + look.keys.length, 0)
    const took = steadyTime() - startedAt
    const orphans = comparison.looks.flatMap((look) => look.orphans)
    const lacks = lacksOf(comparison)
    return report({ ...comparison, symbols: lanes.size, lacks, orphans, keys, repaired, took })
  })
}

function lacksOf({ looks }: Comparison): Lack[] {
  return looks.flatMap(({ lacks }) => lacks)
}

/** Heals what lacks and nothing else: what differed for a moment only is a live worker's. */
async function mend(session: Session, enabled: readonly string[], comparison: Comparison): Promise<Restoration> {
  const whole = comparison.looks.filter(({ lacks }) => lacks.length === 0)
  const tasks = planTasks(lacksOf(comparison), 'drift', steadyTime())
  const restoration = new Restoration(session, { enabled, tasks, whole })
  await overLives(session, (life, signal) => restoration.run(life, signal))
  return restoration
}

function report(verdict: Verdict): Answer {
  const { symbols, lacks, orphans, strays, unsearched, keys, hidden, leftOut, repaired, took } = verdict
  const unseen = [...hidden].map(([dataset, trouble]) => ({ dataset, ...tell(trouble) }))
  const failures = repaired?.failures ?? new Map<string, Trouble>()
  const failed = [...failures].map(([dataset, trouble]) => ({ dataset, ...tell(trouble) }))
  return {
    ok: lacks.length === 0,
    // Where nothing could be compared, there is nothing to say of it: the troubles tell why.
    lines: [
      ...listing(lacks),
      ...(keys > 0 || hidden.size === 0 ? [sentence(verdict)] : []),
      ...strangers(orphans),
      ...strays.map(sayStrays),
      ...namedTroubles(unsearched).map(
        ({ message, hint }) => `Keys that belong to no row were not looked for: ${message}; ${hint}.`,
      ),
    ],
    data: {
      symbols,
      keys,
      keys_lacking: lacks.length,
      lacks: lacks.map(({ picture, ...lack }) => lack),
      orphans,
      ...(unsearched.size > 0 && {
        strays_unknown: [...unsearched].map(([dataset, its]) => ({ dataset, ...tell(its) })),
      }),
      ...(strays.length > 0 && { strays: strays.map(({ dataset, keys }) => ({ dataset, keys: keys.length })) }),
      left_out: leftOut,
      ...(repaired && { repaired: repaired.written.size }),
      ...(failed.length > 0 && { failed }),
      ...(unseen.length > 0 && { unseen }),
      took_ms: took,
    },
    // A dataset is told of once, by what hindered its repair if anything did.
    troubles: namedTroubles(new Map([...hidden, ...failures])),
  }
}

/** A line for each key: `ohlcv:BTCUSDT:m1  hole  3 missing`. */
function listing(lacks: readonly Lack[]): string[] {
  const listed = lacks.slice(0, LISTED).map(({ key, kind, missing, differing }) => ({
    key: showKey(key),
    kind: kind.replace('_', ' '),
    counts: [
      ...(missing > 0 ? [`${number(missing)} missing`] : []),
      ...(differing > 0 ? [`${number(differing)} differing`] : []),
    ],
  }))
  const width = Math.max(...listed.map(({ key }) => key.length))
  const lines = listed.map(({ key, kind, counts }) => `${key.padEnd(width)}  ${kind.padEnd(10)}  ${counts.join(', ')}`)
  return lacks.length > LISTED ? [...lines, `… and ${number(lacks.length - LISTED)} more`] : lines
}

/** What Redis holds beyond PostgreSQL, in one line if at all. */
function strangers(orphans: readonly Orphans[]): string[] {
  const [first] = orphans
  if (!first) return []
  const total = orphans.reduce((sum, { values }) => sum + values, 0)
  const [are, they] = total === 1 ? ['is', 'it is'] : ['are', 'they are']
  const where = `${count(total, 'value')} in ${count(orphans.length, 'key')}`
  return [`${where} ${are} not known to PostgreSQL, ${showKey(first.key)} for one; ${they} left alone.`]
}

/** Keys that belong to no row, in one line for each dataset. */
function sayStrays({ dataset, keys }: Strays): string {
  const belong = keys.length === 1 ? 'belongs' : 'belong'
  return `${count(keys.length, 'key')} of ${dataset} ${belong} to no row, ${showKey(keys[0] ?? '')} for one; left alone.`
}

/** A key may hold any character; on a terminal some of them do harm. */
function showKey(key: string): string {
  return /\p{Cc}/u.test(key) ? JSON.stringify(key) : key
}

function sentence({ symbols, lacks, keys, hidden, repaired, took, leftOut }: Verdict): string {
  const compared = `${count(keys, 'key')} of ${count(symbols, 'symbol')}`
  const differ = lacks.length === 1 ? 'differs' : 'differ'
  const struck = new Set(lacks.map(({ symbol }) => symbol)).size
  const verdict =
    lacks.length > 0
      ? `${count(lacks.length, 'key')} of ${count(struck, 'symbol')} ${differ} from PostgreSQL (${compared} compared): ${sayWhy(lacks, repaired)}.`
      : `${compared} ${keys === 1 ? 'holds' : 'hold'} what PostgreSQL holds (compared in ${sayDuration(took)}).`
  return [
    ...(repaired ? [`Repaired ${count(repaired.written.size, 'key')}.`] : []),
    hidden.size > 0 && lacks.length === 0 ? `Of what could be compared, ${verdict}` : verdict,
    ...(leftOut > 0 ? [`${count(leftOut, 'value')} left out that Redis cannot hold (NULL, NaN, infinity).`] : []),
  ].join(' ')
}

/** Why there are differences: others are not to blame for what could not be repaired. */
function sayWhy(lacks: readonly Lack[], repaired: Restoration | undefined): string {
  if (!repaired) return `rekindle verify --repair mends ${lacks.length === 1 ? 'it' : 'them'}`
  if (lacks.some(({ dataset }) => repaired.failures.has(dataset))) return 'not all could be repaired'
  return `something writes or evicts ${lacks.length === 1 ? 'it' : 'them'} meanwhile`
}
