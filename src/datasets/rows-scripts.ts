import { type Command, encode } from '../redis/wire.js'
import { chunksOf } from './chunks.js'
import type { MayReplace } from './dataset.js'
import type { RowFinding } from './rows.js'
import { EXPIRY, TOLERANCE } from './rows-lack.js'
import { SUPERSEDED } from './written.js'

/** Keys, and about so many characters of their values, in one script call: below 2 ms of Redis' time, unless one value is large. */
export const SCRIPT = { count: 50, size: 200_000 }

/**
 * Gives a key another moment of expiry, if it still has the one that was seen: in epoch ms, -1 for none, '' to leave it as it is.
 * `wanted` is '' for never.
 */
export const MEND = `
local function mend(key, wanted, seen, replies)
  if seen == '' then return end
  local ttl, time = redis.call('PTTL', key), redis.call('TIME')
  local at = ttl < 0 and -1 or time[1] * 1000 + math.floor(time[2] / 1000) + ttl
  if ttl == -2 or (at == -1) ~= (seen == '-1') or math.abs(at - seen) > ${TOLERANCE} then
    replies[#replies + 1] = redis.error_reply('${SUPERSEDED}')
  elseif wanted == '' then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIREAT', key, wanted)
  end
end`

/** What {@link MEND} takes of a finding: the moment wanted, and the one seen. */
export function mendArguments(finding: RowFinding, mayReplace: MayReplace): [wanted: number | '', seen: number | ''] {
  const { wanted, repair } = finding
  if (repair?.expires === undefined || !mayReplace(finding, EXPIRY)) return ['', '']
  return [wanted.expires ?? '', repair.expires]
}

interface Entry {
  readonly key: string
  readonly args: readonly (string | number)[]
}

/** Calls of a script that takes some keys, and arguments for each. */
export function scripts(script: string, entries: readonly Entry[]): Command[] {
  const sizeOf = ({ args }: Entry): number => args.reduce<number>((total, arg) => total + String(arg).length, 0)
  return chunksOf(entries, SCRIPT, sizeOf).map((batch) => {
    const keys = batch.map(({ key }) => key)
    return encode('EVAL', script, keys.length, ...keys, ...batch.flatMap(({ args }) => args))
  })
}
