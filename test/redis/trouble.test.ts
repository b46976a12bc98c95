import { expect, it } from 'vitest'
import { redisTrouble } from '../../src/redis/trouble.js'

function replied(text: string): Error {
  return Object.assign(new Error(text), { name: 'ReplyError' })
}

/** Every prefix that the servers answer with, as far as a command of ours can meet it. */
const REPLIES: [text: string, code: string, passing: boolean][] = [
  ['ASK 3999 127.0.0.1:6381', 'redis_refused', false],
  ['BUSY Redis is busy running a script.', 'redis_busy', true],
  ['BUSYKEY Target key name already exists.', 'unexpected', true],
  ['CLUSTERDOWN Hash slot not served', 'redis_busy', true],
  ["CROSSSLOT Keys in request don't hash to the same slot", 'redis_refused', false],
  ['DENIED Redis is running in protected mode', 'redis_refused', false],
  ['ERR TSDB: the key is not a TSDB key', 'unexpected', true],
  ['ERR max number of clients reached', 'redis_busy', true],
  ["ERR unknown command 'TS.ADD', with args beginning with: ", 'redis_no_module', false],
  [
    'ERR Error running script (call to f_0): @user_script:1: @user_script: 1: Unknown Redis command called from Lua script',
    'redis_no_module',
    false,
  ],
  ["ERR unknown command 'CLIENT', with args beginning with: ", 'redis_refused', false],
  ['EXECABORT Transaction discarded because of previous errors.', 'unexpected', true],
  ['LOADING Redis is loading the dataset in memory', 'redis_busy', true],
  ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", 'redis_readonly', true],
  ['MISCONF Redis is configured to save RDB snapshots', 'redis_busy', true],
  ['MOVED 3999 127.0.0.1:6381', 'redis_refused', false],
  ['NOAUTH Authentication required.', 'redis_refused', false],
  ["NOPERM this user has no permissions to run the 'del' command", 'redis_refused', false],
  ['NOREPLICAS Not enough good replicas to write.', 'redis_busy', true],
  ['NOSCRIPT No matching script.', 'unexpected', true],
  ["OOM command not allowed when used memory > 'maxmemory'.", 'redis_full', true],
  ["READONLY You can't write against a read only replica.", 'redis_readonly', true],
  ['REDIRECT 127.0.0.1:6380', 'redis_readonly', true],
  ['TRYAGAIN Multiple keys request during rehashing of slot', 'redis_busy', true],
  ['WRONGPASS invalid username-password pair or user is disabled.', 'redis_refused', false],
  ['WRONGTYPE Operation against a key holding the wrong kind of value', 'unexpected', true],
]

it.each(REPLIES)('%s', (text, code, passing) => {
  expect(redisTrouble(replied(text), 'here:6379/0')).toMatchObject({ code, passing, hint: expect.stringMatching(/./) })
})

it('an error of the connection is Redis being away', () => {
  expect(redisTrouble(new Error('connect ECONNREFUSED'), 'here:6379/0')).toMatchObject({
    code: 'redis_unreachable',
    passing: true,
  })
})
