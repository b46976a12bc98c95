import { createHash } from 'node:crypto'
import type { IndicatorsConfig } from '../config/schema.js'
import { renderKey } from '../config/template.js'
import { sameNumber } from '../decide/compare.js'
import { type Lack, NOTHING, type Tally } from '../model.js'
import { asideCommand } from '../redis/aside.js'
import { type Command, encode, exchange, isErrorReply, type Reply } from '../redis/wire.js'
import type { Dataset, Finding, Fingerprint, MayReplace, Reading, ReadOptions, Wanted } from './dataset.js'
import { glanceSql, tablesOf } from './indicators-sql.js'
import { type NewestRow, NewestValues } from './newest-values.js'
import { countWritten, SUPERSEDED } from './written.js'

/** The newest indicator values of one symbol and timeframe, as one hash: field = parameter name, value = the double's shortest text. */
export interface HashWanted extends Wanted {
  readonly timeframe: string
  readonly fields: ReadonlyMap<string, string>
}

export interface HashFinding extends Finding<HashWanted> {
  /** Field -> what it was seen to hold, `undefined` for nothing. Only fields that need writing. */
  readonly changes: ReadonlyMap<string, string | undefined>
}

const ANY: ReadOptions = { thorough: false, parts: undefined }
/** Changes in one script call. */
const BATCH = 100

/**
 * Sets fields that still are what was seen: a live worker's newer value stands. KEYS: hash; ARGV: field, seen value with '=' before
 * it or '' for an absent field, new value, and so on. A hash that is not there is filled by one HSET.
 */
const PUT = `
local replies = {}
if redis.call('EXISTS', KEYS[1]) == 0 then
  local fields = {}
  for i = 1, #ARGV, 3 do
    if ARGV[i + 1] == '' then
      fields[#fields + 1] = ARGV[i]
      fields[#fields + 1] = ARGV[i + 2]
      replies[#replies + 1] = 1
    else
      replies[#replies + 1] = redis.error_reply('${SUPERSEDED}')
    end
  end
  if #fields > 0 then redis.call('HSET', KEYS[1], unpack(fields)) end
  return replies
end
for i = 1, #ARGV, 3 do
  local here = redis.call('HGET', KEYS[1], ARGV[i])
  if (here and '=' .. here or '') == ARGV[i + 1] then
    replies[#replies + 1] = redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  else
    replies[#replies + 1] = redis.error_reply('${SUPERSEDED}')
  end
end
return replies`

/** Indicators: the newest value of each parameter of each enabled instance. */
export function indicatorsDataset(config: IndicatorsConfig, rank: number): Dataset<HashWanted, HashFinding> {
  const name = 'indicators'
  const newest = new NewestValues(config)
  return {
    name,
    keys: [config.key],
    rank,
    writers: config.writers,
    announced: newest,
    polling: {
      bySymbol: true,
      // Of what would be read, so that it misses nothing that a look would see; and it needs no column that tells of updates.
      fingerprints: async (db, symbols) =>
        wantedHashes(config, await newest.read(db, symbols, ANY)).wanted.map(fingerprintOf),
      glance: (db) => db.query<Fingerprint>(glanceSql(config), [], tablesOf(config)),
    },
    async read(db, symbols, options) {
      return wantedHashes(config, await newest.read(db, symbols, options))
    },
    async compare(redis, wanted) {
      const replies = await exchange(
        redis,
        wanted.map(({ key }) => encode('HGETALL', key)),
      )
      return wanted.map((item, i) => compareHash(name, item, replies[i] as Reply | Error))
    },
    async write(redis, findings, mayReplace): Promise<Tally> {
      const lacking = findings.filter(({ lack }) => lack !== undefined)
      const replies = await exchange(
        redis,
        lacking.flatMap((finding) => writeCommands(finding, mayReplace)),
      )
      const { written, superseded } = countWritten(replies)
      return { ...NOTHING, keys: lacking.length, fields: written, superseded }
    },
  }
}

/** Rows, oldest first -> one hash a symbol and timeframe. Where two instances name the same parameter, the newer value counts. */
function wantedHashes(config: IndicatorsConfig, rows: readonly NewestRow[]): Reading<HashWanted> {
  type Hash = HashWanted & { readonly fields: Map<string, string> }
  const hashes = new Map<string, Hash>()
  const leftOut = new Map<string, number>()
  const found = new Map<string, Map<string, Hash>>()
  /** A key is made once, not for every row. */
  const hashOf = (symbol: string, timeframe: string): Hash => {
    const key = renderKey(config.key, { symbol, timeframe })
    const hash = hashes.get(key) ?? { key, symbol, timeframe, fields: new Map() }
    hashes.set(key, hash)
    found.set(symbol, (found.get(symbol) ?? new Map<string, Hash>()).set(timeframe, hash))
    return hash
  }
  for (const { symbol, timeframe, param, value } of rows) {
    const { fields } = found.get(symbol)?.get(timeframe) ?? hashOf(symbol, timeframe)
    if (value !== null && Number.isFinite(Number(value))) fields.set(param, value)
    else leftOut.set(symbol, (leftOut.get(symbol) ?? 0) + 1)
  }
  return { wanted: [...hashes.values()].filter(({ fields }) => fields.size > 0), leftOut }
}

function fingerprintOf({ symbol, timeframe, fields }: HashWanted): Fingerprint {
  const text = JSON.stringify([...fields].sort(([a], [b]) => (a < b ? -1 : 1)))
  return { symbol, part: timeframe, fingerprint: createHash('sha1').update(text).digest('base64') }
}

function compareHash(dataset: string, wanted: HashWanted, reply: Reply | Error): HashFinding {
  const { symbol, key, fields } = wanted
  const lack = (kind: Lack['kind'], missing: number, differing: number): Lack => ({
    dataset,
    symbol,
    key,
    kind,
    missing,
    differing,
  })
  if (isErrorReply(reply)) {
    if (!reply.message.startsWith('WRONGTYPE')) throw reply
    const changes = new Map([...fields.keys()].map((field) => [field, undefined]))
    return { wanted, lack: lack('wrong_type', fields.size, 0), orphans: [], changes }
  }
  const held = pairs(reply as string[])
  const changes = new Map<string, string | undefined>()
  let missing = 0
  for (const [field, value] of fields) {
    const there = held.get(field)
    if (there === undefined) missing++
    if (there === undefined || !sameNumber(there, value)) changes.set(field, there)
  }
  const orphans = [...held.keys()].filter((field) => !fields.has(field))
  if (changes.size === 0) return { wanted, lack: undefined, orphans, changes }
  const kind = held.size === 0 ? 'missing' : missing > 0 ? 'hole' : 'differs'
  const picture = [...changes]
    .map(([field, there]) => `${field}=${there}>${fields.get(field)}`)
    .sort()
    .join(' ')
  const differing = new Map(
    [...changes].flatMap(([field, there]) =>
      there === undefined ? [] : [[field, `${there}>${fields.get(field)}`] as const],
    ),
  )
  return { wanted, lack: { ...lack(kind, missing, changes.size - missing), picture }, orphans, differing, changes }
}

function pairs(list: readonly string[]): ReadonlyMap<string, string> {
  const map = new Map<string, string>()
  for (let i = 0; i < list.length; i += 2) map.set(list[i] as string, list[i + 1] as string)
  return map
}

function writeCommands(finding: HashFinding, mayReplace: MayReplace): Command[] {
  const { wanted, lack, changes } = finding
  const commands = lack?.kind === 'wrong_type' ? [asideCommand(wanted.key, 'hash')] : []
  const args = [...changes].flatMap(([field, seen]) =>
    seen !== undefined && !mayReplace(finding, field)
      ? []
      : [[field, seen === undefined ? '' : `=${seen}`, wanted.fields.get(field) as string]],
  )
  for (let i = 0; i < args.length; i += BATCH) {
    commands.push(encode('EVAL', PUT, 1, wanted.key, ...args.slice(i, i + BATCH).flat()))
  }
  return commands
}
