import type { CandlesConfig } from '../config/schema.js'
import { renderKey } from '../config/template.js'
import { type Difference, differingPairs, kindOfLack, pictureOf, sameNumber } from '../decide/compare.js'
import { NOTHING, type Tally } from '../model.js'
import { asideCommand } from '../redis/aside.js'
import { type Command, encode, exchange, isErrorReply, type Reply, type Wire } from '../redis/wire.js'
import { type CandleRun, COLUMNS, candlesPolling, isStorable, isStorableTime, readCandles } from './candle-source.js'
import type { Dataset, Finding, MayReplace, Reading, Wanted } from './dataset.js'
import { splitText } from './series-wanted.js'
import { countWritten, SUPERSEDED } from './written.js'

/** One symbol's candles of one timeframe, as one sorted set: score = open time in ms, member = JSON of the candle. */
export interface SetWanted extends Wanted {
  readonly times: readonly string[]
  readonly members: readonly string[]
}

export interface SetFinding extends Finding<SetWanted> {
  /** What differs, and the members seen at each time (more than one where somebody wrote a candle twice). */
  readonly repair?: { readonly difference: Difference; readonly held: ReadonlyMap<string, readonly string[]> }
}

/** Members in one ZADD. */
const BATCH = 250
/** Scripted changes in one command. */
const REPLACE_BATCH = 50

/**
 * Sets the member at a time if what stands there is what was seen. A sorted set is keyed by its members, so a plain ZADD of a
 * changed candle would leave two of them. KEYS: set; ARGV: time, seen members joined by newline, new member, and so on.
 * Answers how many members were added at each time.
 */
const REPLACE = `
local replies = {}
for i = 1, #ARGV, 3 do
  local here = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[i], ARGV[i])
  if table.concat(here, '\\n') == ARGV[i + 1] then
    redis.call('ZREMRANGEBYSCORE', KEYS[1], ARGV[i], ARGV[i])
    replies[#replies + 1] = redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 2])
  else
    replies[#replies + 1] = redis.error_reply('${SUPERSEDED}')
  end
end
return replies`

/** Candles of one timeframe as sorted sets, for a Redis without RedisTimeSeries. */
export function sortedSetDataset(
  config: CandlesConfig,
  timeframe: string,
  rank: number,
): Dataset<SetWanted, SetFinding> {
  const name = `candles.${timeframe}`
  return {
    name,
    keys: [renderKey(config.keys.close, { symbol: '{symbol}', timeframe })],
    rank,
    writers: config.writers,
    polling: candlesPolling(config, timeframe),
    async read(db, symbols) {
      return wantedSets(config, timeframe, await readCandles(db, config, timeframe, symbols))
    },
    async compare(redis, wanted, thorough) {
      const unclear = thorough ? wanted : await lookBriefly(redis, wanted)
      const looked = new Map<SetWanted, SetFinding>()
      for (const finding of await lookClosely(redis, name, unclear)) looked.set(finding.wanted, finding)
      return wanted.map((item): SetFinding => looked.get(item) ?? { wanted: item, lack: undefined, orphans: [] })
    },
    async write(redis, findings, mayReplace): Promise<Tally> {
      const lacking = findings.filter(({ lack }) => lack !== undefined)
      const replies = await exchange(
        redis,
        lacking.flatMap((finding) => writeCommands(finding, mayReplace)),
      )
      const { written, superseded } = countWritten(replies, { valuesIn: (added) => added })
      return { ...NOTHING, keys: lacking.length, samples: written, superseded }
    },
  }
}

/** Candle runs -> wanted sets; a candle with a value that JSON cannot hold is left out whole. */
function wantedSets(config: CandlesConfig, timeframe: string, runs: readonly CandleRun[]): Reading<SetWanted> {
  const wanted: SetWanted[] = []
  const leftOut = new Map<string, number>()
  for (const { symbol, intact, ...run } of runs) {
    const times = splitText(run.times)
    const values = COLUMNS.map((column) => splitText(run.values[column]))
    const [open = [], high = [], low = [], close = [], volume = []] = values
    const kept: string[] = []
    const members: string[] = []
    times.forEach((time, i) => {
      if (!intact && (!isStorableTime(time) || values.some((list) => !isStorable(list[i] ?? '')))) return
      kept.push(time)
      members.push(`{"t":${time},"o":${open[i]},"h":${high[i]},"l":${low[i]},"c":${close[i]},"v":${volume[i]}}`)
    })
    if (kept.length < times.length) leftOut.set(symbol, times.length - kept.length)
    if (kept.length > 0)
      wanted.push({ symbol, key: renderKey(config.keys.close, { symbol, timeframe }), times: kept, members })
  }
  return { wanted, leftOut }
}

/** The sets whose members are not, letter for letter and in order, those that are wanted. */
async function lookBriefly(redis: Wire, wanted: readonly SetWanted[]): Promise<SetWanted[]> {
  const replies = await exchange(
    redis,
    wanted.map(({ key, times }) => encode('ZRANGEBYSCORE', key, times[0] as string, times.at(-1) as string)),
  )
  return wanted.filter(({ members }, i) => {
    const found = replies[i]
    if (!Array.isArray(found)) return true
    return found.length !== members.length || !members.every((member, at) => member === found[at])
  })
}

/** Reads every member of the wanted ranges with its score. */
async function lookClosely(redis: Wire, dataset: string, wanted: readonly SetWanted[]): Promise<SetFinding[]> {
  const replies = await exchange(
    redis,
    wanted.flatMap(({ key, times }) => [
      encode('ZRANGEBYSCORE', key, times[0] as string, times.at(-1) as string, 'WITHSCORES'),
      encode('EXISTS', key),
    ]),
  )
  return wanted.map((item, i) => compareSet(dataset, item, replies[2 * i] as Reply | Error, replies[2 * i + 1] === 1))
}

function compareSet(dataset: string, wanted: SetWanted, reply: Reply | Error, exists: boolean): SetFinding {
  const { symbol, key, times, members } = wanted
  if (isErrorReply(reply)) {
    if (!reply.message.startsWith('WRONGTYPE')) throw reply
    const lack = { dataset, symbol, key, kind: 'wrong_type', missing: times.length, differing: 0 } as const
    return { wanted, lack, orphans: [] }
  }
  const held = byScore(reply as string[])
  const difference = compareMembers(times, members, held)
  const kind = kindOfLack(difference, times.length)
  if (!kind) return { wanted, lack: undefined, orphans: difference.orphans }
  const lack = {
    dataset,
    symbol,
    key,
    kind: kind === 'missing' && exists ? 'hole' : kind,
    missing: difference.missing.length,
    differing: difference.differing.length,
    picture: pictureOf(difference, times, members, (time) => (held.get(time) ?? []).join()),
  } as const
  const differing = differingPairs(difference, times, members, (time) => (held.get(time) ?? []).join())
  const forming = times.at(-1) as string
  return { wanted, lack, orphans: difference.orphans, differing, forming, repair: { difference, held } }
}

/** Members by their score, which is where readers look for them, whatever time they name. */
function byScore(list: readonly string[]): ReadonlyMap<string, string[]> {
  const held = new Map<string, string[]>()
  for (let i = 0; i < list.length; i += 2) {
    const score = list[i + 1] as string
    const there = held.get(score)
    if (there) there.push(list[i] as string)
    else held.set(score, [list[i] as string])
  }
  return held
}

function compareMembers(
  times: readonly string[],
  members: readonly string[],
  held: ReadonlyMap<string, readonly string[]>,
): Difference {
  const missing: number[] = []
  const differing: number[] = []
  const known = new Set(times)
  times.forEach((time, i) => {
    const there = held.get(time)
    if (!there) missing.push(i)
    else if (there.length > 1 || !sameCandle(there[0] as string, members[i] as string)) differing.push(i)
  })
  return { missing, differing, orphans: [...held.keys()].filter((time) => !known.has(time)) }
}

/** True if both members are the same candle, however their numbers are written. */
function sameCandle(a: string, b: string): boolean {
  if (a === b) return true
  const [left, right] = [readCandle(a), readCandle(b)]
  return (
    left !== undefined &&
    right !== undefined &&
    ['t', 'o', 'h', 'l', 'c', 'v'].every((name) => sameNumber(String(left[name]), String(right[name])))
  )
}

function readCandle(member: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(member)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    // A member that is no candle: the caller finds that it differs.
    return undefined
  }
}

/** Fills what is missing and replaces what differs; the newest candle, which may still be forming, only if no live writer was faster. */
function writeCommands(finding: SetFinding, mayReplace: MayReplace): Command[] {
  const { wanted, lack, repair } = finding
  const { key, times, members } = wanted
  const replaceable = repair?.difference.differing.filter((i) => mayReplace(finding, times[i] as string)) ?? []
  const missing = repair ? repair.difference.missing : [...times.keys()]
  const newest = missing.at(-1) === times.length - 1
  const body = newest ? missing.slice(0, -1) : missing
  const guarded = [...(newest ? [times.length - 1] : []), ...replaceable]
  const commands = lack?.kind === 'wrong_type' ? [asideCommand(key, 'zset')] : []
  for (let i = 0; i < body.length; i += BATCH) {
    commands.push(
      encode('ZADD', key, ...body.slice(i, i + BATCH).flatMap((at) => [times[at] as string, members[at] as string])),
    )
  }
  for (let i = 0; i < guarded.length; i += REPLACE_BATCH) {
    const args = guarded.slice(i, i + REPLACE_BATCH).flatMap((at) => {
      const time = times[at] as string
      return [time, (repair?.held.get(time) ?? []).join('\n'), members[at] as string]
    })
    commands.push(encode('EVAL', REPLACE, 1, key, ...args))
  }
  return commands
}
