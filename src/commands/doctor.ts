import { steadyTime } from '../clock.js'
import type { Config } from '../config/schema.js'
import { readChanges } from '../doctor/changes.js'
import { type Diagnosis, examine } from '../doctor/examine.js'
import type { Fate } from '../doctor/recoverability.js'
import { connectWire } from '../redis/connect.js'
import type { Answer } from './answer.js'
import { type Add, timeoutOption } from './command.js'
import { colourfully, plainly, wantsColour } from './doctor-layout.js'
import { showDiagnosis, type ToldDiagnosis } from './doctor-screen.js'
import { insistOnRedis } from './insist.js'
import { count } from './progress.js'
import { type Session, troubleOf, withSession } from './session.js'

export interface DoctorOptions {
  /** How long Redis may be away, in ms. */
  readonly timeout: number
}

/** Columns of the screen: of a pipe, and the bounds for a terminal. */
const WIDTH = { pipe: 80, least: 60, most: 100 }

/**
 * Says what of Redis would come back, what stands in the way, and how changes in PostgreSQL are found. A PostgreSQL that is away is
 * something that could not be checked. Rejects with a Trouble.
 */
export function doctor(config: Config, { timeout }: DoctorOptions): Promise<Answer> {
  return withSession(config, timeout, async (session) => {
    const startedAt = steadyTime()
    const [found, changes] = await Promise.all([
      insistOnRedis(session.patience, config.redis.url, () => look(session)),
      readChanges(config),
    ])
    const diagnosis = { ...found, changes: changes.sources, unchecked: [...found.unchecked, ...changes.unchecked] }
    const { stdout, env } = process
    const columns = stdout.isTTY ? stdout.columns || WIDTH.pipe : WIDTH.pipe
    const screen = {
      width: Math.min(WIDTH.most, Math.max(WIDTH.least, columns)),
      paint: wantsColour(stdout, env) ? colourfully : plainly,
    }
    return {
      // Of a server that tells nothing, nothing good can be said.
      ok: diagnosis.version !== undefined && diagnosis.risks.every(({ severity }) => severity === 'note'),
      lines: showDiagnosis(diagnosis, session.server, screen),
      data: { ...tellDiagnosis(diagnosis, session.server), took_ms: steadyTime() - startedAt },
      troubles: [],
    }
  })
}

export function addDoctor(add: Add): void {
  add<{ timeout: number }>(
    'doctor',
    'what would come back if Redis lost its data',
    'Says, class by class, what would bring the keys of this Redis back, and which of its settings stand in the way, ' +
      'each with what mends it; then it exits with 1. Says also how changes in PostgreSQL are found. Writes nothing.',
    (config, { timeout }) => doctor(config, { timeout }),
  ).addOption(timeoutOption('how long to wait while Redis is away'))
}

async function look({ config, patience, progress, server }: Session): Promise<Diagnosis> {
  const { signal } = patience
  try {
    const wire = await connectWire(config.redis.url, 'rekindle-doctor')
    const close = (): void => wire.close()
    signal.addEventListener('abort', close, { once: true })
    try {
      const onStep = (share: number, seen: number): void => {
        patience.progressed()
        progress.show('Counting', share, [count(seen, 'key')])
      }
      return await examine(wire, config, { signal, onStep })
    } finally {
      signal.removeEventListener('abort', close)
      close()
    }
  } catch (error) {
    throw troubleOf(error, server)
  }
}

/** The diagnosis for a machine: codes and names that stay. */
function tellDiagnosis(diagnosis: ToldDiagnosis, server: string): object {
  const { at, version, census, fates, otherDatabases, functions, risks, changes, unchecked } = diagnosis
  const classes = fates.map((fate) => tellFate(fate))
  return {
    server,
    redis_version: version ?? null,
    looked_at: new Date(at).toISOString(),
    keys: census?.total ?? null,
    keys_looked_at: census?.seen ?? 0,
    exact: census?.exact ?? false,
    classes,
    unclassified: census?.shapes ?? [],
    other_databases: otherDatabases,
    functions: functions
      ? {
          libraries: functions.libraries,
          not_in_backup: functions.missing ?? null,
          backup_taken_at: functions.takenAt === undefined ? null : new Date(functions.takenAt).toISOString(),
        }
      : null,
    findings: risks,
    change_sources: changes ?? null,
    unchecked,
  }
}

function tellFate({ class: its, keys, exact, bytes, from, backup }: Fate): object {
  return {
    match: its?.match ?? null,
    recovery: its?.recovery ?? null,
    impact: its?.impact ?? null,
    keys,
    exact,
    bytes: bytes ?? null,
    comes_back_from: from,
    backup: backup
      ? {
          taken_at: new Date(backup.takenAt).toISOString(),
          proved_at: backup.provedAt === undefined ? null : new Date(backup.provedAt).toISOString(),
          keys: backup.keys ?? null,
        }
      : null,
  }
}
