import { type Contents, differingKeys, readContents } from './contents.js'
import { Daemon, type Layout } from './daemon.js'
import { type Figure, ratio, timing } from './figures.js'
import { prepareReferences, type Reference, type References } from './reference.js'
import { type Heal, rest, wipe } from './rounds.js'
import type { Stage } from './stage.js'
import { median } from './statistics.js'

const SAMPLES: Readonly<Record<Layout, number>> = { timeseries: 187_500, sortedset: 37_500 }
const FIELDS = 6_000

type Name = 'file' | 'rows' | 'aggregated'
type Times = Readonly<Record<Name, number[]>>

/**
 * The nominal restore by the daemon and by its references, in turns, so that whatever slows the machine slows them alike. Rejects if
 * their servers do not hold the same afterwards.
 */
export async function measureNominal(
  stage: Stage,
  databaseUrl: string,
  layout: Layout,
  rounds: number,
): Promise<(Figure | string)[]> {
  const { redis, connection } = stage
  await connection.flushall()
  const references = await prepareReferences(layout, databaseUrl)
  const { daemon, took } = await Daemon.start({ redisUrl: redis.url, databaseUrl, layout })
  try {
    const held = await readContents(connection)
    const heals: Heal[] = []
    const times: Times = { file: [], rows: [], aggregated: [] }
    for (let round = 0; round < rounds; round++) {
      await rest()
      heals.push(checked(layout, await wipe(connection, daemon)))
      for (const name of ['file', 'rows', 'aggregated'] as const) {
        const reference = references[name]
        if (!reference) continue
        await rest()
        times[name].push(await runReference(reference, stage))
        if (round === 0) expectSame(held, await readContents(stage.spareConnection), `reference ${name}`)
      }
    }
    expectSame(held, await readContents(connection), 'the last restore')
    return figuresOf(layout, took, heals, times, references)
  } finally {
    await daemon.stop()
  }
}

async function runReference(reference: Reference, { spare, spareConnection }: Stage): Promise<number> {
  await spareConnection.flushall()
  return reference(spare)
}

function expectSame(held: Contents, other: Contents, what: string): void {
  const differing = differingKeys(held, other)
  if (differing.length === 0) return
  throw new Error(`${differing.length} keys differ after ${what}, ${differing.slice(0, 5).join(', ')} among them`)
}

function checked(layout: Layout, heal: Heal): Heal {
  const { samples, fields } = heal
  if (samples === SAMPLES[layout] && fields === FIELDS) return heal
  throw new Error(`${samples} samples and ${fields} fields were restored instead of ${SAMPLES[layout]} and ${FIELDS}`)
}

function figuresOf(
  layout: Layout,
  firstFill: number,
  heals: readonly Heal[],
  times: Times,
  { missing }: References,
): (Figure | string)[] {
  const took = heals.map((heal) => heal.took)
  const ours = median(took)
  const figures: (Figure | string)[] = [
    timing(`${layout}.rekindle`, 'Rekindle, as seen from outside', took),
    timing(
      `${layout}.rekindle_log`,
      '  by its own log',
      heals.map(({ byLog }) => byLog),
    ),
    timing(`${layout}.start`, '  a fresh process, start to whole', [firstFill]),
  ]
  const add = (name: Name, label: string): void => {
    if (times[name].length > 0) figures.push(timing(`${layout}.${name}`, label, times[name]))
  }
  add('file', 'a  redis-cli --pipe, ready-made file')
  add('rows', 'b  psql | redis-cli --pipe, by row')
  add('aggregated', 'c  the same, 250 samples a command')
  // The design sets these for series; in sorted sets Redis has a fifth of the work, and what is left is mostly PostgreSQL's.
  const isNominal = layout === 'timeseries'
  if (times.file.length > 0) {
    const target = isNominal ? ({ is: 'at most', bound: 2 } as const) : undefined
    figures.push(ratio(`${layout}.times_file`, 'Rekindle takes, times a', ours, median(times.file), target))
  }
  if (times.rows.length > 0) {
    const target = isNominal ? ({ is: 'at least', bound: 3 } as const) : undefined
    figures.push(
      ratio(`${layout}.rows_times`, 'b takes, times Rekindle', median(times.rows), ours, target),
      ratio(`${layout}.aggregated_times`, 'c takes, times Rekindle', median(times.aggregated), ours),
    )
  }
  return missing === undefined ? figures : [...figures, missing]
}
