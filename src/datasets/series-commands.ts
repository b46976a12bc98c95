import type { Difference } from '../decide/compare.js'
import { type Command, encode, type Reply } from '../redis/wire.js'
import { fillCommands } from './series-fill.js'
import type { SeriesWanted } from './series-wanted.js'
import { SUPERSEDED } from './written.js'

/** What TS.INFO tells of a series that exists; `retention` in ms, 0 for none; `last` is the newest time. */
export interface SeriesFacts {
  readonly retention: number
  readonly last: number
  readonly duplicatePolicy: string | undefined
  /** True if a sample that differs little from the one before it is dropped without an error (IGNORE). */
  readonly ignoresSimilar: boolean
  readonly labels: ReadonlyMap<string, string>
}

/** Rewriting a long series costs up to 7 µs a sample, and no command may block Redis for more than about 2 ms. */
const REWRITE_BATCH = 100
/** Replaces samples that still are what was seen. KEYS: series; ARGV: time, seen value, new value, and so on. Answers like TS.MADD. */
const REPLACE = `
local replies = {}
for i = 1, #ARGV, 3 do
  local here = redis.call('TS.RANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if here and (here[2]['ok'] or tostring(here[2])) == ARGV[i + 1] then
    replies[#replies + 1] = redis.call('TS.ADD', KEYS[1], ARGV[i], ARGV[i + 2], 'ON_DUPLICATE', 'LAST')
  else
    replies[#replies + 1] = redis.error_reply('${SUPERSEDED}')
  end
end
return replies`

/** The commands that make a series that does not exist. */
export function createCommands(wanted: SeriesWanted): Command[] {
  const labels = [...legalLabels(wanted)].flat()
  const create = encode(
    'TS.CREATE',
    wanted.key,
    'DUPLICATE_POLICY',
    'LAST',
    ...(labels.length > 0 ? ['LABELS', ...labels] : []),
  )
  return [create, ...fillCommands(wanted)]
}

/** The command, if one is needed, that gives a series somebody else has made our policy and our labels beside its own. */
export function adoptCommands(wanted: SeriesWanted, facts: SeriesFacts): Command[] {
  const ours = legalLabels(wanted)
  const policyIsOurs = facts.duplicatePolicy?.toLowerCase() === 'last' && !facts.ignoresSimilar
  if (policyIsOurs && [...ours].every(([label, value]) => facts.labels.get(label) === value)) return []
  const policy = ['DUPLICATE_POLICY', 'LAST', ...(facts.ignoresSimilar ? ['IGNORE', 0, 0] : [])]
  // TS.ALTER replaces all labels, so those that the series has are repeated.
  const labels = [...new Map([...facts.labels, ...ours])].flat()
  return [encode('TS.ALTER', wanted.key, ...policy, ...(labels.length > 0 ? ['LABELS', ...labels] : []))]
}

/** The commands that give a series that exists what it lacks. */
export function extendCommands(
  wanted: SeriesWanted,
  { missing, differing }: Difference,
  held: ReadonlyMap<string, string>,
  facts: SeriesFacts,
): Command[] {
  const commands = [...adoptCommands(wanted, facts), ...patchCommands(wanted, missing)]
  for (let i = 0; i < differing.length; i += REWRITE_BATCH) {
    const args = differing.slice(i, i + REWRITE_BATCH).flatMap((at) => {
      const time = wanted.times[at] as string
      return [time, held.get(time) as string, wanted.values[at] as string]
    })
    commands.push(encode('EVAL', REPLACE, 1, wanted.key, ...args))
  }
  return commands
}

/** Fills in the samples at `positions`, in ascending order; the newest, like that of a fresh series, only if it is still missing. */
function patchCommands({ key, times, values, size }: SeriesWanted, positions: readonly number[]): Command[] {
  const newest = positions.at(-1) === size - 1
  const body = newest ? positions.slice(0, -1) : positions
  const commands: Command[] = []
  for (let i = 0; i < body.length; i += REWRITE_BATCH) {
    const samples = body.slice(i, i + REWRITE_BATCH).flatMap((at) => [key, times[at] as string, values[at] as string])
    commands.push(encode('TS.MADD', ...samples))
  }
  if (newest) {
    commands.push(encode('TS.ADD', key, times.at(-1) as string, values.at(-1) as string, 'ON_DUPLICATE', 'BLOCK'))
  }
  return commands
}

/** The labels of a series; RedisTimeSeries refuses values that are empty or hold `( ) ,`, so such a label is left out. */
function legalLabels({ symbol, timeframe, column }: SeriesWanted): ReadonlyMap<string, string> {
  return new Map(
    Object.entries({ symbol, timeframe, column }).filter(([, value]) => value !== '' && !/[(),]/.test(value)),
  )
}

/** Reads the reply of TS.INFO, a flat list of names and values. */
export function readFacts(reply: Reply): SeriesFacts {
  const list = Array.isArray(reply) ? reply : []
  const field = (name: string): Reply | undefined => (list.includes(name) ? list[list.indexOf(name) + 1] : undefined)
  const labels = (field('labels') ?? []) as [string, string | null][]
  const policy = field('duplicatePolicy')
  return {
    retention: Number(field('retentionTime') ?? 0),
    last: Number(field('lastTimestamp') ?? 0),
    duplicatePolicy: typeof policy === 'string' ? policy : undefined,
    ignoresSimilar: Number(field('ignoreMaxTimeDiff') ?? 0) > 0,
    labels: new Map(labels.map(([label, value]) => [label, value ?? ''])),
  }
}
