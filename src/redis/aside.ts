import { type Command, encode } from './wire.js'

/** How long a value of another type is kept aside, in seconds: 7 days. */
const TTL = 7 * 24 * 3600

/** KEYS: key, aside; ARGV: right type, ttl in s. Never over an older aside: a taken name gets a number. Says OK, as no count is due. */
const ASIDE = `
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind == 'none' or kind == ARGV[1] then return redis.status_reply('OK') end
local name, n = KEYS[2], 1
while redis.call('RENAMENX', KEYS[1], name) == 0 do
  n = n + 1
  name = KEYS[2] .. ':' .. n
end
redis.call('EXPIRE', name, ARGV[2])
return redis.status_reply('OK')`

/**
 * Renames what stands at `key` to `rekindle:aside:<key>` with a time to live, unless its type has become `type` meanwhile: a value
 * that is in our way is moved, never destroyed.
 */
export function asideCommand(key: string, type: string): Command {
  return encode('EVAL', ASIDE, 2, key, `rekindle:aside:${key}`, type, TTL)
}
