import type { CandlesConfig } from '../config/schema.js'
import { renderKey } from '../config/template.js'
import { compareSamples, type Difference, differingPairs, kindOfLack, pictureOf } from '../decide/compare.js'
import { type Lack, NOTHING, type Tally } from '../model.js'
import { asideCommand } from '../redis/aside.js'
import { type Command, encode, exchange, isErrorReply, type Reply, type Wire } from '../redis/wire.js'
import { type CandleRun, COLUMNS, candlesPolling, isStorable, isStorableTime, readCandles } from './candle-source.js'
import type { Dataset, Finding, MayReplace, Reading } from './dataset.js'
import { adoptCommands, createCommands, extendCommands, readFacts, type SeriesFacts } from './series-commands.js'
import { bytesOf, SeriesWanted, splitText } from './series-wanted.js'
import { countWritten, SUPERSEDED } from './written.js'

export interface SeriesFinding extends Finding<SeriesWanted> {
  /** What to write into a series that exists, and the values it was seen to hold; absent where the key is whole, missing or of another type. */
  readonly repair?: {
    readonly difference: Difference
    readonly held: ReadonlyMap<string, string>
    readonly facts: SeriesFacts
  }
}

/** TS.CREATE's answer if a live worker was faster. */
const EXISTS = /key already exists/
/** A bucket wider than time itself: an aggregation over it yields one number for the whole range. */
const ONE_BUCKET = Number.MAX_SAFE_INTEGER

/** A live writer wrote the sample between our look and our write; the next look sees what is left to do. */
const FASTER = new RegExp(`Error at upsert|older than retention|${SUPERSEDED}`)

/** Candles of one timeframe as RedisTimeSeries, one series a column. */
export function seriesDataset(
  config: CandlesConfig,
  timeframe: string,
  rank: number,
): Dataset<SeriesWanted, SeriesFinding> {
  const name = `candles.${timeframe}`
  return {
    name,
    keys: COLUMNS.map((column) => renderKey(config.keys[column], { symbol: '{symbol}', timeframe })),
    rank,
    writers: config.writers,
    polling: candlesPolling(config, timeframe),
    async read(db, symbols) {
      return wantedSeries(config, timeframe, await readCandles(db, config, timeframe, symbols))
    },
    async compare(redis, wanted, thorough) {
      const digests = thorough ? undefined : await readDigests(redis, wanted)
      const unclear = wanted.filter((_, i) => digests === undefined || digests[i] === 'differs')
      const looked = new Map<SeriesWanted, SeriesFinding>()
      for (const finding of await lookClosely(redis, name, unclear)) looked.set(finding.wanted, finding)
      return wanted.map((item, i): SeriesFinding => {
        const close = looked.get(item)
        if (close) return close
        const digest = digests?.[i]
        if (digest === 'missing' || digest === 'wrong_type')
          return { wanted: item, lack: wholeLack(name, item, digest), orphans: [] }
        return { wanted: item, lack: undefined, orphans: [] }
      })
    },
    async write(redis, findings, mayReplace): Promise<Tally> {
      const lacking = findings.filter(({ lack }) => lack !== undefined)
      const replies = await exchange(
        redis,
        lacking.flatMap((finding) => writeCommands(finding, mayReplace)),
      )
      const { written, superseded } = countWritten(replies, { superseded: FASTER, harmless: EXISTS })
      if (replies.some((reply) => isErrorReply(reply) && EXISTS.test(reply.message))) {
        await adopt(
          redis,
          lacking.flatMap(({ wanted, repair }) => (repair ? [] : [wanted])),
        )
      }
      return { ...NOTHING, keys: lacking.length, samples: written, superseded }
    },
  }
}

/** Candle runs -> one wanted series a column, without the samples that Redis cannot hold. */
function wantedSeries(config: CandlesConfig, timeframe: string, runs: readonly CandleRun[]): Reading<SeriesWanted> {
  const wanted: SeriesWanted[] = []
  const leftOut = new Map<string, number>()
  for (const run of runs) {
    for (const column of COLUMNS) {
      const { symbol } = run
      const name = { symbol, timeframe, column, key: renderKey(config.keys[column], { symbol, timeframe }) }
      if (run.intact) {
        wanted.push(new SeriesWanted(name, run.times, run.values[column], run.size))
        continue
      }
      const [times, values] = [splitText(run.times), splitText(run.values[column])]
      const kept = times.flatMap((time, i) => (isStorable(values[i] ?? '') && isStorableTime(time) ? [i] : []))
      leftOut.set(symbol, (leftOut.get(symbol) ?? 0) + times.length - kept.length)
      if (kept.length === 0) continue
      const pick = (list: readonly string[]): Uint8Array => bytesOf(kept.map((i) => list[i]).join(','))
      wanted.push(new SeriesWanted(name, pick(times), pick(values), kept.length))
    }
  }
  return { wanted, leftOut }
}

type Digest = 'same' | 'differs' | 'missing' | 'wrong_type'

/**
 * Count and sum of a range of each series, or the error text: two numbers instead of 250 samples, and one command for the columns of a
 * symbol. KEYS: series; ARGV: bucket wider than time, then first and last time of each.
 */
const DIGEST = `
local function one(key, from, to, aggregate)
  local reply = redis.pcall('TS.RANGE', key, from, to, 'AGGREGATION', aggregate, ARGV[1])
  if reply.err then return reply.err end
  local value = reply[1] and reply[1][2]
  if not value then return '' end
  return type(value) == 'table' and value.ok or tostring(value)
end
local digests = {}
for i, key in ipairs(KEYS) do
  local from, to = ARGV[2 * i], ARGV[2 * i + 1]
  local count = one(key, from, to, 'count')
  digests[#digests + 1] = count
  digests[#digests + 1] = tonumber(count) and one(key, from, to, 'sum') or ''
end
return digests`

/**
 * Compares count and sum of each wanted range inside Redis. RedisTimeSeries adds in order of time, as we do, so equal samples give
 * equal bits; where they do not, a closer look costs time, not correctness.
 */
async function readDigests(redis: Wire, wanted: readonly SeriesWanted[]): Promise<Digest[]> {
  const groups: SeriesWanted[][] = []
  for (const item of wanted) {
    const group = groups.at(-1)
    if (group?.[0]?.symbol === item.symbol && group.length < COLUMNS.length) group.push(item)
    else groups.push([item])
  }
  const replies = await exchange(
    redis,
    groups.map((group) => {
      const ranges = group.flatMap(({ firstTime, lastTime }) => [firstTime, lastTime])
      return encode('EVAL', DIGEST, group.length, ...group.map(({ key }) => key), ONE_BUCKET, ...ranges)
    }),
  )
  return groups.flatMap((group, g) => {
    const reply = replies[g] as Reply | Error
    if (isErrorReply(reply)) throw reply
    return group.map((item, i) =>
      judgeDigest(item, (reply as string[])[2 * i] ?? '', (reply as string[])[2 * i + 1] ?? ''),
    )
  })
}

function judgeDigest(wanted: SeriesWanted, count: string, sum: string): Digest {
  if (count === '') return 'differs'
  if (!/^\d/.test(count)) return absence(Object.assign(new Error(count), { name: 'ReplyError' })) ?? 'differs'
  return Number(count) === wanted.size && Number(sum) === wanted.sum() ? 'same' : 'differs'
}

/** Whether an error reply means that the key is missing or of another type; any other error rejects the look. */
function absence(reply: Reply | Error): 'missing' | 'wrong_type' | undefined {
  if (!isErrorReply(reply)) return undefined
  if (/the key does not exist/.test(reply.message)) return 'missing'
  if (/WRONGTYPE|not a TSDB key/.test(reply.message)) return 'wrong_type'
  throw reply
}

function wholeLack(dataset: string, { symbol, key, size }: SeriesWanted, kind: 'missing' | 'wrong_type'): Lack {
  return { dataset, symbol, key, kind, missing: size, differing: 0 }
}

/** Reads every sample of the wanted ranges, and what decides how a series may be written. */
async function lookClosely(redis: Wire, dataset: string, wanted: readonly SeriesWanted[]): Promise<SeriesFinding[]> {
  if (wanted.length === 0) return []
  const replies = await exchange(
    redis,
    wanted.flatMap(({ key, firstTime, lastTime }) => [
      encode('TS.RANGE', key, firstTime, lastTime),
      encode('TS.INFO', key),
    ]),
  )
  return wanted.map((item, i): SeriesFinding => {
    const range = replies[2 * i] as Reply | Error
    const info = replies[2 * i + 1] as Reply | Error
    const gone = absence(range) ?? absence(info)
    if (gone) return { wanted: item, lack: wholeLack(dataset, item, gone), orphans: [] }
    const facts = readFacts(info as Reply)
    const held = new Map((range as [number, string][]).map(([time, value]) => [String(time), value]))
    const difference = withoutExpired(compareSamples(item.times, item.values, held), item, facts)
    const kind = kindOfLack(difference, item.times.length)
    if (!kind) return { wanted: item, lack: undefined, orphans: difference.orphans }
    const { symbol, key } = item
    const { missing, differing, orphans } = difference
    const lack: Lack = {
      dataset,
      symbol,
      key,
      kind: kind === 'missing' && held.size > 0 ? 'hole' : kind,
      missing: missing.length,
      differing: differing.length,
      picture: pictureOf(difference, item.times, item.values, (time) => held.get(time) ?? ''),
    }
    const pairs = differingPairs(difference, item.times, item.values, (time) => held.get(time) ?? '')
    const repair = { difference, held, facts }
    return { wanted: item, lack, orphans, differing: pairs, forming: item.lastTime, repair }
  })
}

/** Retention counts from the newest sample: what is older can never be written, so it is not lacking. */
function withoutExpired(difference: Difference, { times }: SeriesWanted, { retention, last }: SeriesFacts): Difference {
  if (retention === 0) return difference
  const oldest = Math.max(last, Number(times.at(-1))) - retention
  return { ...difference, missing: difference.missing.filter((i) => Number(times[i]) >= oldest) }
}

/** Gives our policy and labels to series that a live worker made between our look and our TS.CREATE. */
async function adopt(redis: Wire, wanted: readonly SeriesWanted[]): Promise<void> {
  const facts = await exchange(
    redis,
    wanted.map(({ key }) => encode('TS.INFO', key)),
  )
  const commands = wanted.flatMap((item, i) => adoptCommands(item, readFacts(facts[i] as Reply)))
  for (const reply of await exchange(redis, commands)) if (isErrorReply(reply)) throw reply
}

function writeCommands(finding: SeriesFinding, mayReplace: MayReplace): Command[] {
  const { wanted, lack, repair } = finding
  if (repair) {
    const { difference, held, facts } = repair
    const differing = difference.differing.filter((i) => mayReplace(finding, wanted.times[i] as string))
    return extendCommands(wanted, { ...difference, differing }, held, facts)
  }
  const create = createCommands(wanted)
  return lack?.kind === 'wrong_type' ? [asideCommand(wanted.key, 'TSDB-TYPE'), ...create] : create
}
