import { describe, expect, it } from 'vitest'
import { type Case, callsSince, causeOf } from '../../src/decide/cause.js'
import { serverFacts } from '../../src/decide/info.js'
import type { Cause, ServerFacts, Signal } from '../../src/model.js'
import { forManySeeds } from './seeded.js'

const NO_CALLS = { flushall: 0, flushdb: 0, swapdb: 0, del: 0, unlink: 0 }

/** A server that has run for an hour, as INFO told at 10,000,000 ms. */
const BEFORE: ServerFacts = {
  ...serverFacts('', undefined, '/data', 10_000_000),
  runId: 'one',
  role: 'master',
  uptimeSeconds: 3600,
  configFile: '/etc/redis.conf',
  replicationId: 'repl-one',
  previousReplicationId: '0000',
  aofEnabled: false,
  evictedKeys: 7,
  calls: { ...NO_CALLS, flushall: 1, del: 5 },
}
/** The same process five seconds later. */
const SAME: ServerFacts = { ...BEFORE, at: 10_005_000, uptimeSeconds: 3605 }
/** The same server, started again a second ago. */
const RESTARTED: ServerFacts = {
  ...SAME,
  runId: 'two',
  uptimeSeconds: 1,
  replicationId: 'repl-two',
  evictedKeys: 0,
  calls: NO_CALLS,
}
/** What is known where INFO is forbidden. */
const MUTE = serverFacts('', undefined, undefined, 10_005_000)

interface Story {
  before?: ServerFacts | undefined
  now?: ServerFacts
  signals?: Signal[]
  keyEvents?: Record<string, number>
  lacks?: Case['lacks']
  share?: number
  epochStands?: boolean
}

function tell({
  now = SAME,
  signals = ['poll'],
  keyEvents = {},
  lacks = GONE,
  share = 0,
  epochStands = false,
  ...story
}: Story): Cause {
  const before = 'before' in story ? story.before : BEFORE
  return causeOf({ suspicion: { signals: new Set(signals), keyEvents }, before, now, lacks, share, epochStands })
}

const GONE: Case['lacks'] = [{ kind: 'missing' }, { kind: 'missing' }]
const WRONG: Case['lacks'] = [{ kind: 'wrong_type' }]
const calls = (more: Partial<typeof NO_CALLS>): ServerFacts => ({
  ...SAME,
  calls: { ...NO_CALLS, flushall: 1, del: 5, ...more },
})

describe('causeOf', () => {
  const stories: [string, Cause, Story][] = [
    ['a flush', 'flush', { now: calls({ flushall: 2 }), signals: ['flush'], share: 1 }],
    ['FLUSHDB', 'flush', { now: calls({ flushdb: 1 }), signals: ['flush'], share: 1 }],
    [
      'a key deleted while another database is flushed',
      'deletion',
      { now: calls({ flushdb: 1, del: 99 }), signals: ['flush'], epochStands: true },
    ],
    ['a flush found by the poll', 'flush', { now: calls({ flushall: 2 }), share: 0.5 }],
    ['a flush seen where INFO is forbidden', 'flush', { before: MUTE, now: MUTE, signals: ['flush'], share: 1 }],
    ['a flush, healed in part before it was judged', 'flush', { now: calls({ flushall: 2 }), signals: ['flush'] }],
    ['a flush that also evicted', 'flush', { now: { ...calls({ flushall: 2 }), evictedKeys: 9 }, share: 1 }],
    ['a flush of another database, one key deleted here', 'deletion', { now: calls({ flushdb: 1, del: 6 }) }],
    ['SWAPDB', 'swapdb', { now: calls({ swapdb: 1 }), share: 1 }],
    ['SWAPDB and FLUSHDB', 'flush', { now: calls({ swapdb: 1, flushdb: 1 }), share: 1 }],
    ['a restart without persistence', 'restart', { now: RESTARTED, signals: ['life'], share: 1 }],
    ['a restart with an old RDB', 'restart', { now: RESTARTED, lacks: [{ kind: 'stale_tail' }] }],
    ['a restart with its AOF', 'restart', aof({ ...RESTARTED, aofEnabled: true }, 0.1)],
    ['an AOF that came back empty', 'replacement', aof({ ...RESTARTED, aofEnabled: true }, 1)],
    ['a restart with the AOF switched off', 'restart', aof(RESTARTED, 1)],
    ['another configuration file', 'replacement', { now: { ...RESTARTED, configFile: '/etc/b.conf' }, share: 1 }],
    ['another directory', 'replacement', { now: { ...RESTARTED, directory: '/b' }, share: 1 }],
    ['a restart after which CONFIG is forbidden', 'restart', { now: { ...RESTARTED, directory: undefined } }],
    ['a stranger that ran all along', 'replacement', { now: { ...RESTARTED, uptimeSeconds: 500 }, share: 1 }],
    [
      'a promoted replica',
      'failover',
      { now: { ...RESTARTED, uptimeSeconds: 500, previousReplicationId: 'repl-one' } },
    ],
    [
      'a replica of the same primary',
      'failover',
      { now: { ...RESTARTED, uptimeSeconds: 9, replicationId: 'repl-one' } },
    ],
    ['a restart within what uptime cuts off', 'restart', { now: { ...RESTARTED, uptimeSeconds: 7 } }],
    ['a new process that does not tell its uptime', 'restart', { now: { ...RESTARTED, uptimeSeconds: undefined } }],
    ['a primary that became a replica', 'failover', { now: { ...SAME, role: 'replica' }, share: 1 }],
    [
      'DEL while the first replica came',
      'deletion',
      { now: { ...SAME, replicationId: 'repl-two', previousReplicationId: '0000' }, keyEvents: { del: 1 } },
    ],
    [
      'a full resync, and promoted again',
      'failover',
      { now: { ...SAME, replicationId: 'repl-two', previousReplicationId: 'repl-of-the-primary' }, share: 1 },
    ],
    ['an eviction that was announced', 'eviction', { keyEvents: { evicted: 3 } }],
    ['an eviction that was counted', 'eviction', { now: { ...SAME, evictedKeys: 8 } }],
    ['evictions among deletions', 'eviction', { keyEvents: { del: 3, evicted: 1 } }],
    ['DEL', 'deletion', { keyEvents: { del: 1 } }],
    ['RENAME', 'deletion', { keyEvents: { rename_from: 1 } }],
    ['DEL that was only counted', 'deletion', { now: calls({ del: 6 }) }],
    ['UNLINK that was only counted', 'deletion', { now: calls({ unlink: 1 }) }],
    ['a key overwritten by another type', 'corruption', { lacks: WRONG, keyEvents: { set: 1 } }],
    ['another type at the first look', 'corruption', { before: undefined, lacks: WRONG }],
    ['another type after a restart', 'corruption', { now: RESTARTED, lacks: WRONG }],
    ['another type among missing keys', 'restart', { now: RESTARTED, lacks: [...WRONG, ...GONE] }],
    ['the first look', 'unknown', { before: undefined, now: SAME, share: 1 }],
    ['no sign at all', 'unknown', {}],
    ['no lack', 'unknown', { lacks: [] }],
    ['a flush signal without a flush', 'unknown', { signals: ['flush'] }],
    ['no INFO before nor now', 'unknown', { before: MUTE, now: MUTE, share: 1 }],
  ]
  it.each(stories)('%s: %s', (_, cause, story) => {
    expect(tell(story)).toBe(cause)
  })

  it('names a cause whatever a server tells and leaves out', () => {
    const facts = [MUTE, SAME, RESTARTED, calls({ flushall: 2 })]
    forManySeeds((random) => {
      const pieces = random.shuffled(facts).map((each) => Object.fromEntries(random.some(Object.entries(each))))
      const now: ServerFacts = Object.assign({}, MUTE, ...pieces)
      const signals = random.some<Signal>(['life', 'flush', 'poll', 'key_event', 'scrub'])
      const cause = tell({ now, signals, share: random.fraction() })
      expect(['flush', 'swapdb', 'restart', 'replacement', 'failover', 'eviction', 'deletion', 'unknown']).toContain(
        cause,
      )
    })
  })
})

function aof(now: ServerFacts, share: number): Story {
  return { before: { ...BEFORE, aofEnabled: true }, now, share }
}

describe('callsSince', () => {
  it('counts from the reading before', () => {
    expect(callsSince(BEFORE, calls({ flushall: 3, del: 6, unlink: 2 }))).toEqual({
      ...NO_CALLS,
      flushall: 2,
      del: 1,
      unlink: 2,
    })
  })

  it('counts all of a process that was not seen before', () => {
    const now = { ...RESTARTED, calls: { ...NO_CALLS, flushall: 1 } }
    expect(callsSince(BEFORE, now).flushall).toBe(1)
    expect(callsSince(undefined, now).flushall).toBe(1)
  })

  it('never counts less than none, as after CONFIG RESETSTAT', () => {
    expect(callsSince(BEFORE, calls({ flushall: 0, del: 0 }))).toEqual(NO_CALLS)
  })

  it('is zero where Redis does not tell', () => {
    expect(callsSince(BEFORE, MUTE)).toEqual(NO_CALLS)
    expect(callsSince(undefined, MUTE)).toEqual(NO_CALLS)
  })
})
