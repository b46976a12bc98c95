import { timeOf } from '../redis/time.js'
import { type Command, encode, exchange, isErrorReply, type Reply, type Wire } from '../redis/wire.js'
import type { MayReplace } from './dataset.js'
import type { RowFinding } from './rows.js'
import { absentRow, momentOf, standingRow, valueAt } from './rows-lack.js'
import type { RowWanted } from './rows-reading.js'
import { MEND, mendArguments, scripts } from './rows-scripts.js'
import { SUPERSEDED } from './written.js'

/** Fields of one key in one entry of a script. */
const FIELDS = 100

/**
 * Puts fields into hashes and takes out those that must be absent; each only if it still is what was seen, so that a live worker's
 * newer value stands. The last field of a hash is never taken out, since the key would go with it. KEYS: hashes; ARGV for each: when
 * it expires if it has to be made, the two of the mending, how many fields, and for each its name, what was seen and what is wanted,
 * both with '=' before the value, or '' for an absent field.
 */
const PUT = `${MEND}
local replies, at = {}, 1
for _, key in ipairs(KEYS) do
  local expires, wanted, seen, count = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  at = at + 4
  if redis.call('EXISTS', key) == 0 then
    local fields = {}
    for i = 1, count do
      if ARGV[at + 1] == '' then
        fields[#fields + 1] = ARGV[at]
        fields[#fields + 1] = string.sub(ARGV[at + 2], 2)
        replies[#replies + 1] = 1
      else
        replies[#replies + 1] = redis.error_reply('${SUPERSEDED}')
      end
      at = at + 3
    end
    if #fields > 0 then
      redis.call('HSET', key, unpack(fields))
      if expires ~= '' then redis.call('PEXPIREAT', key, expires) end
    end
  else
    for i = 1, count do
      local here = redis.call('HGET', key, ARGV[at])
      if (here and '=' .. here or '') ~= ARGV[at + 1] then
        replies[#replies + 1] = redis.error_reply('${SUPERSEDED}')
      elseif ARGV[at + 2] ~= '' then
        redis.call('HSET', key, ARGV[at], string.sub(ARGV[at + 2], 2))
        replies[#replies + 1] = 1
      elseif redis.call('HLEN', key) > 1 then
        replies[#replies + 1] = redis.call('HDEL', key, ARGV[at])
      else
        replies[#replies + 1] = redis.error_reply('${SUPERSEDED}')
      end
      at = at + 3
    end
    mend(key, wanted, seen, replies)
  end
end
return replies`

/** Compares hashes with rows, field by field. */
export async function lookAtHashes(redis: Wire, dataset: string, wanted: readonly RowWanted[]): Promise<RowFinding[]> {
  const commands = wanted.flatMap(({ key }) => [encode('HGETALL', key), encode('PTTL', key)])
  const [time, ...replies] = await exchange(redis, [encode('TIME'), ...commands])
  if (isErrorReply(time)) throw time
  const now = timeOf(time)
  return wanted.map((item, i) => {
    const ttl = replies[2 * i + 1] as Reply | Error
    if (isErrorReply(ttl)) throw ttl
    return compareHash(dataset, item, replies[2 * i] as Reply | Error, { now, expires: momentOf(now, Number(ttl)) })
  })
}

function compareHash(
  dataset: string,
  wanted: RowWanted,
  reply: Reply | Error,
  times: { readonly now: number; readonly expires: number },
): RowFinding {
  const fields = fieldsOf(wanted)
  const changes = new Map<string, string | undefined>()
  for (const [field, value] of fields) if (value !== null) changes.set(field, undefined)
  if (isErrorReply(reply)) {
    if (!reply.message.startsWith('WRONGTYPE')) throw reply
    return absentRow(dataset, wanted, 'wrong_type', [...changes.keys()], times.now)
  }
  const held = reply as string[]
  if (held.length === 0) return absentRow(dataset, wanted, 'missing', [...changes.keys()], times.now)
  const orphans: string[] = []
  for (let i = 0; i < held.length; i += 2) {
    const [field, value] = [held[i] as string, held[i + 1] as string]
    if (!fields.has(field)) orphans.push(field)
    else if (fields.get(field) === value) changes.delete(field)
    else changes.set(field, value)
  }
  return standingRow(dataset, wanted, { ...times, changes, orphans, wantedOf: (field) => fields.get(field) ?? '' })
}

/** The fields that a row gives; null for one that must be absent, since its column is NULL. */
function fieldsOf({ body }: RowWanted): ReadonlyMap<string, string | null> {
  const fields = Object.entries(JSON.parse(body) as Record<string, string | null>)
  return new Map(fields.map(([field, value]) => [field, value === null ? null : wellFormed(value)]))
}

/** Half of a pair, which JSON can name, would reach Redis as the sign for what cannot be written. */
function wellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, '\uFFFD')
}

/** The scripts that write what the findings lack; what differs only where that may be replaced. */
export function putHashes(findings: readonly RowFinding[], mayReplace: MayReplace): Command[] {
  const entries = findings.flatMap((finding) => {
    const { wanted, repair } = finding
    if (!repair) return []
    const fields = fieldsOf(wanted)
    const wantedOf = (field: string) => fields.get(field) ?? null
    const allowed = [...repair.changes].filter(
      ([field, seen]) => seen === undefined || mayReplace(finding, valueAt(field)),
    )
    // What must go goes last: then there is something else in the hash.
    const changes = [
      ...allowed.filter(([field]) => wantedOf(field) !== null),
      ...allowed.filter(([field]) => wantedOf(field) === null),
    ]
    const pieces = Array.from({ length: Math.max(1, Math.ceil(changes.length / FIELDS)) }, (_, i) =>
      changes.slice(i * FIELDS, (i + 1) * FIELDS),
    )
    return pieces.map((piece, i) => ({
      key: wanted.key,
      args: [
        wanted.expires ?? '',
        ...(i === 0 ? mendArguments(finding, mayReplace) : ['', '']),
        piece.length,
        ...piece.flatMap(([field, seen]) => [field, argument(seen ?? null), argument(wantedOf(field))]),
      ],
    }))
  })
  return scripts(PUT, entries)
}

/** A value of a field as the script takes it. */
function argument(value: string | null): string {
  return value === null ? '' : `=${value}`
}
