import type { RowsConfig } from '../config/rows.js'
import { sameJson } from '../decide/same-json.js'
import { timeOf } from '../redis/time.js'
import { type Command, encode, exchange, isErrorReply, type Reply, type Wire } from '../redis/wire.js'
import { chunksOf } from './chunks.js'
import type { MayReplace } from './dataset.js'
import type { RowFinding } from './rows.js'
import { absentRow, digestOf, momentOf, standingRow, valueAt } from './rows-lack.js'
import type { RowWanted } from './rows-reading.js'
import { MEND, mendArguments, SCRIPT, scripts } from './rows-scripts.js'
import { SUPERSEDED } from './written.js'

/** The digest of each string ('' for a missing one, `wrong type` for no string) and its PTTL; first of all TIME. KEYS: strings. */
const LOOK = `
local replies = {redis.call('TIME')}
for i, key in ipairs(KEYS) do
  local value = redis.pcall('GET', key)
  if type(value) == 'table' and value.err then
    if string.sub(value.err, 1, 9) ~= 'WRONGTYPE' then return value end
    value = 'wrong type'
  else
    value = value and redis.sha1hex(value) or ''
  end
  replies[2 * i] = value
  replies[2 * i + 1] = redis.call('PTTL', key)
end
return replies`

/**
 * Puts strings in place of what was seen, so that a live worker's newer one stands. KEYS: strings; ARGV for each: the digest that was
 * seen ('' for a missing one, - to leave the value as it is), the new value, when it expires, and the two of the mending.
 */
const PUT = `${MEND}
local replies = {}
for i, key in ipairs(KEYS) do
  local digest, value, expires = ARGV[5 * i - 4], ARGV[5 * i - 3], ARGV[5 * i - 2]
  if digest ~= '-' then
    local here = redis.call('GET', key)
    if (here and redis.sha1hex(here) or '') == digest then
      redis.call('SET', key, value)
      if expires ~= '' then redis.call('PEXPIREAT', key, expires) end
      replies[#replies + 1] = 1
    else
      replies[#replies + 1] = redis.error_reply('${SUPERSEDED}')
    end
  else
    mend(key, ARGV[5 * i - 1], ARGV[5 * i], replies)
  end
end
return replies`

/** Compares strings with rows by their digests, so that none travels that is as it should be; JSON is compared as the value it means. */
export async function lookAtTexts(
  redis: Wire,
  dataset: string,
  wanted: readonly RowWanted[],
  { type }: Pick<RowsConfig, 'type'>,
): Promise<RowFinding[]> {
  const groups = chunksOf(wanted, SCRIPT, ({ body }) => body.length)
  const replies = await exchange(
    redis,
    groups.map((group) => encode('EVAL', LOOK, group.length, ...group.map(({ key }) => key))),
  )
  const seen = groups.flatMap((group, g) => {
    const reply = replies[g] as Reply | Error
    if (isErrorReply(reply)) throw reply
    const [time, ...rest] = reply as Reply[]
    const now = timeOf(time)
    return group.map((item, i) => ({
      item,
      digest: String(rest[2 * i]),
      expires: momentOf(now, Number(rest[2 * i + 1])),
      now,
    }))
  })
  const others = new Set(
    seen.filter(({ item, digest }) => digest.length === 40 && digest !== digestOf(item.body)).map(({ item }) => item),
  )
  const same = type === 'json' ? await sameInOtherWords(redis, [...others]) : new Set<RowWanted>()
  return seen.map(({ item, digest, expires, now }) => {
    if (digest === '') return absentRow(dataset, item, 'missing', [''], now)
    if (digest.length !== 40) return absentRow(dataset, item, 'wrong_type', [''], now)
    const changes = new Map(others.has(item) && !same.has(item) ? [['', digest]] : [])
    return standingRow(dataset, item, { changes, expires, now, orphans: [], wantedOf: () => item.body })
  })
}

async function sameInOtherWords(redis: Wire, wanted: readonly RowWanted[]): Promise<ReadonlySet<RowWanted>> {
  const replies = await exchange(
    redis,
    wanted.map(({ key }) => encode('GET', key)),
  )
  return new Set(
    wanted.filter(({ body }, i) => {
      const reply = replies[i]
      return typeof reply === 'string' && sameJson(reply, body)
    }),
  )
}

/** The scripts that write what the findings lack; what differs only where that may be replaced. */
export function putTexts(findings: readonly RowFinding[], mayReplace: MayReplace): Command[] {
  const entries = findings.flatMap((finding) => {
    const { wanted, repair } = finding
    const { key, body, expires = '' } = wanted
    if (!repair) return []
    const mending = mendArguments(finding, mayReplace)
    // To write the value sets its expiry as well.
    if (!repair.changes.has('')) return [{ key, args: ['-', '', '', ...mending] }]
    const seen = repair.changes.get('')
    return seen === undefined || mayReplace(finding, valueAt(''))
      ? [{ key, args: [seen ?? '', body, expires, '', ''] }]
      : []
  })
  return scripts(PUT, entries)
}
