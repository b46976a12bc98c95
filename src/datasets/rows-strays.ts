import { plainKeys } from '../config/patterns.js'
import { templateClass } from '../decide/classes.js'
import { Trouble } from '../errors.js'
import { ask, type Wire } from '../redis/wire.js'

/** In a Redis with more keys than this, nobody goes through all of them only to count some. */
const MOST = 1_000_000
const TOO_MANY = new Trouble(
  'not_whole',
  `Redis has more than ${MOST} keys`,
  'redis-cli --scan --pattern lists those of a template',
  false,
)
/** Keys that one SCAN goes through: about 0.2 ms of Redis' time. */
const STEP = 1_000

/**
 * Keys that look like those of a template and are not wanted: what rows left behind that are gone. Only those are told in whose
 * columns there is no colon, since `user:1:profile` is none of `user:{id}`. Rejects with a
 * Trouble where Redis has very many keys.
 */
export async function findStrays(redis: Wire, template: string, isWanted: (key: string) => boolean): Promise<string[]> {
  if (Number(await ask(redis, 'DBSIZE')) > MOST) throw TOO_MANY
  const looksAlike = plainKeys(template)
  const strays = new Set<string>()
  for (let cursor = '0', first = true; first || cursor !== '0'; first = false) {
    const reply = await ask(redis, 'SCAN', cursor, 'MATCH', templateClass(template).match, 'COUNT', STEP)
    const [next, keys] = reply as [string, string[]]
    for (const key of keys) if (looksAlike.test(key) && !isWanted(key)) strays.add(key)
    cursor = next
  }
  return [...strays]
}
