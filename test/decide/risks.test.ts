import { describe, expect, it } from 'vitest'
import { parseInfo } from '../../src/decide/info.js'
import { risksOf } from '../../src/decide/risks.js'
import { type KeysAtStake, type RiskFacts, readState, type ServerState } from '../../src/decide/risks-facts.js'

const GB = 1024 ** 3
const DAY = 86_400_000
const NOW = 100 * DAY

/** A server about which nothing is to be said, however precious its keys. */
const SOUND: ServerState = {
  ...readState(parseInfo('role:master\r\nconnected_slaves:1\r\ndb0:keys=10,expires=5\r\n'), new Map()),
  aof: true,
  appendfsync: 'everysec',
  pausesFsync: false,
  aofWriteStatus: 'ok',
  aofRewriteStatus: 'ok',
  aofSize: 1_000,
  aofBaseSize: 1_000,
  rewritePercentage: 100,
  rewriteMinSize: 64 * 1024 ** 2,
  savePoints: '3600 1 300 100 60 10000',
  rdbStatus: 'ok',
  stopsWrites: true,
  maxMemory: 4 * GB,
  usedMemory: GB,
  rss: GB,
  totalMemory: 16 * GB,
  policy: 'noeviction',
  evictedKeys: 0,
  configFile: '/etc/redis.conf',
  aclFile: '',
  dir: '/data',
  bind: '127.0.0.1 -::1',
  protectedMode: true,
}
const HOST = {
  overcommit: 1,
  available: 8 * GB,
  limit: undefined,
  mount: { point: '/', type: 'ext4' },
  sharesDisk: false,
}
const BACKUPS = {
  dir: '/backups',
  scheduled: true,
  due: NOW - DAY,
  alertAfter: 14 * DAY,
  newest: NOW - DAY / 2,
  oldest: NOW - 30 * DAY,
  proved: NOW - DAY,
  failed: undefined,
}
const ACCESS = {
  users: [
    { name: 'admin', flushes: true, writes: true, powers: ['@all'] },
    { name: 'app', flushes: false, writes: true, powers: ['@all'] },
  ],
  open: false,
}
const APP = { name: 'app', flushes: true, writes: true, powers: ['@all'] }
const MON = { name: 'mon', flushes: false, writes: false, powers: [] }
const ANYBODY = { name: 'default', flushes: false, writes: false, powers: [] }
const PRECIOUS: KeysAtStake = { backup: 1_200, unclassified: 0, expiring: false }
const UNKNOWN: KeysAtStake = { backup: 0, unclassified: 34, expiring: false }
const CACHE: KeysAtStake = { backup: 0, unclassified: 0, expiring: false }

interface Story extends Partial<Omit<RiskFacts, 'server'>> {
  server?: Partial<ServerState>
}

function codes({ server, ...story }: Story, standing: string[] = []): string[] {
  const facts: RiskFacts = {
    at: NOW,
    stake: PRECIOUS,
    host: HOST,
    replicas: [{ name: '10.0.0.2:6379', persists: true, keys: 10 }],
    access: ACCESS,
    backups: BACKUPS,
    ...story,
    server: { ...SOUND, ...server },
  }
  const risks = risksOf(facts, new Set(standing))
  for (const { message, mend } of risks) {
    expect(message).toMatch(/^[^\s].*\.$/)
    expect(mend).toMatch(/\S/)
    expect(`${message}${mend}`).not.toMatch(/undefined|NaN|Infinity/)
  }
  return risks.map(({ code, severity }) => (severity === 'risk' ? code : `(${code})`))
}

const NO_DISK: Partial<ServerState> = { aof: false, savePoints: '' }
const FULL_CACHE: Partial<ServerState> = { policy: 'allkeys-lru', maxMemory: GB, usedMemory: GB }
const GROWN: Partial<ServerState> = { aofSize: 200 * 1024 ** 2, aofBaseSize: 100 * 1024 ** 2 }

/** What is so, and the codes that come of it: those of notes in parentheses. */
const CASES: [string, Story, string[]][] = [
  ['all is well', {}, []],
  ['nothing is known of the server', { server: readState(new Map(), new Map()) }, []],
  ['no append-only file', { server: { aof: false } }, ['aof_off']],
  ['no append-only file for keys of no class', { server: { aof: false }, stake: UNKNOWN }, ['aof_off']],
  ['no append-only file, save points unknown', { server: { aof: false, savePoints: undefined } }, ['aof_off']],
  ['no save points beside an append-only file', { server: { savePoints: '' } }, []],
  ['nothing is saved', { server: { ...NO_DISK, replicas: 0 } }, ['aof_off', 'no_save_points', '(no_replica)']],
  ['appendfsync no', { server: { appendfsync: 'no' } }, ['aof_fsync_no']],
  ['appendfsync pauses', { server: { pausesFsync: true } }, ['(aof_fsync_paused)']],
  ['a snapshot failed', { server: { rdbStatus: 'err' } }, ['rdb_failed']],
  ['a snapshot failed, whatever that means', { server: { rdbStatus: 'err', savePoints: undefined } }, ['rdb_failed']],
  ['a failed snapshot stops no writes', { server: { stopsWrites: false } }, ['(stop_writes_off)']],
  ['a write of the AOF failed', { server: { aofWriteStatus: 'err' } }, ['aof_write_failed']],
  ['a rewrite failed', { server: { aofRewriteStatus: 'err' } }, ['aof_rewrite_failed']],
  ['the AOF has grown', { server: GROWN }, ['aof_grown']],
  ['the AOF is being rewritten', { server: { ...GROWN, rewriting: true } }, []],
  ['the AOF has grown, but is small', { server: { aofSize: 9_000 } }, []],
  ['the AOF is never rewritten', { server: { rewritePercentage: 0 } }, ['aof_rewrite_off']],
  [
    'the AOF is never rewritten and has grown',
    { server: { ...GROWN, rewritePercentage: 0 } },
    ['aof_rewrite_off', 'aof_grown'],
  ],
  ['allkeys-lru', { server: { policy: 'allkeys-lru' } }, ['eviction_drops_keys']],
  ['allkeys-lru without maxmemory', { server: { policy: 'allkeys-lru', maxMemory: 0 } }, ['(eviction_drops_keys)']],
  ['volatile-ttl, and keys that stay', { server: { policy: 'volatile-ttl' } }, []],
  [
    'volatile-ttl, and keys that expire',
    { server: { policy: 'volatile-ttl' }, stake: { ...PRECIOUS, expiring: true } },
    ['eviction_drops_keys'],
  ],
  [
    'volatile-ttl, and keys that expired since',
    { server: { policy: 'volatile-ttl', expires: 0 }, stake: { ...PRECIOUS, expiring: true } },
    [],
  ],
  ['evictions go on', { server: { policy: 'allkeys-lfu' }, evictedSince: 5 }, ['eviction_drops_keys', 'evicting']],
  ['evictions of other keys', { server: { policy: 'volatile-lru' }, evictedSince: 5 }, []],
  ['maxmemory is near', { server: { usedMemory: 3.7 * GB } }, ['maxmemory_near']],
  ['no maxmemory, and room', { server: { maxMemory: 0 } }, []],
  [
    'no maxmemory, and little room',
    { server: { maxMemory: 0, rss: 13 * GB, totalMemory: 16 * GB }, host: undefined },
    ['maxmemory_none'],
  ],
  [
    'no maxmemory in a small control group',
    { server: { maxMemory: 0 }, host: { ...HOST, limit: 1.2 * GB } },
    ['maxmemory_none'],
  ],
  ['overcommit is off', { host: { ...HOST, overcommit: 0 } }, ['(overcommit_off)']],
  ['a fork may fail', { host: { ...HOST, overcommit: 0, available: GB / 2 } }, ['fork_may_fail']],
  ['a fork fits by overcommit', { host: { ...HOST, available: GB / 2 } }, []],
  ['memory for what is copied is short', { host: { ...HOST, available: GB / 8 } }, ['fork_memory_short']],
  [
    'the directory is in a container',
    { host: { ...HOST, mount: { point: '/', type: 'overlay' } } },
    ['dir_not_lasting'],
  ],
  [
    'the directory is in memory',
    { host: { ...HOST, mount: { point: '/dev/shm', type: 'tmpfs' } } },
    ['dir_not_lasting'],
  ],
  ['no replica', { server: { replicas: 0 } }, ['(no_replica)']],
  ['it is a replica', { server: { role: 'replica', replicas: 0 } }, ['(is_replica)']],
  ['a master that could wipe', { server: NO_DISK }, ['aof_off', 'no_save_points', 'master_could_wipe']],
  ['a volatile replica', { replicas: [{ name: 'r:1', persists: false, keys: 1 }] }, ['(replica_volatile)']],
  [
    'a volatile replica of a volatile master',
    { server: NO_DISK, replicas: [{ name: 'r:1', persists: false, keys: 1 }] },
    ['aof_off', 'no_save_points', 'master_could_wipe', 'replica_volatile'],
  ],
  ['an empty master', { server: { keys: 0, allKeys: 0 }, stake: CACHE }, ['empty_master']],
  ['a master whose keys are in another database', { server: { keys: 0 }, stake: CACHE }, []],
  ['no backup', { backups: { ...BACKUPS, newest: undefined, oldest: undefined, proved: undefined } }, ['no_backup']],
  ['the newest backup is too old', { backups: { ...BACKUPS, newest: NOW - 2 * DAY } }, ['backup_old']],
  [
    'no schedule, and an old backup',
    { backups: { ...BACKUPS, scheduled: false, due: undefined, newest: NOW - 2 * DAY } },
    ['no_schedule'],
  ],
  ['no schedule, and a fresh backup', { backups: { ...BACKUPS, scheduled: false, due: undefined } }, ['(no_schedule)']],
  [
    'the last proof failed',
    { backups: { ...BACKUPS, failed: { file: 'a.rdb', why: '2 keys are gone' } } },
    ['proof_failed'],
  ],
  ['the last proof is old', { backups: { ...BACKUPS, proved: NOW - 15 * DAY } }, ['proof_old']],
  ['none was ever proved', { backups: { ...BACKUPS, proved: undefined } }, ['proof_old']],
  ['none was proved yet', { backups: { ...BACKUPS, proved: undefined, oldest: NOW - DAY } }, ['(proof_old)']],
  ['no drills are wanted', { backups: { ...BACKUPS, proved: undefined, alertAfter: undefined } }, []],
  ['backups on the same disk', { host: { ...HOST, sharesDisk: true } }, ['(backup_same_disk)']],
  ['everybody may flush', { access: { users: [APP], open: false } }, ['flush_open']],
  ['nobody may flush', { access: { users: [{ ...APP, flushes: false }], open: false } }, []],
  [
    'the open default user may flush',
    { access: { users: [...ACCESS.users, { ...APP, name: 'default' }], open: true } },
    ['flush_open', '(no_password)'],
  ],
  ['everybody may flush who may write', { access: { users: [APP, MON], open: false } }, ['flush_open']],
  ['an open default user that may do nothing', { access: { users: [...ACCESS.users, ANYBODY], open: true } }, []],
  ['no password, on this machine', { access: { ...ACCESS, open: true } }, ['(no_password)']],
  [
    'no password, in protected mode',
    { access: { ...ACCESS, open: true }, server: { bind: '* -::*' } },
    ['(no_password)'],
  ],
  [
    'no password, for all the world',
    { access: { ...ACCESS, open: true }, server: { bind: '* -::*', protectedMode: false } },
    ['no_password'],
  ],
  [
    'no password, and who knows for whom',
    { access: { ...ACCESS, open: true }, server: { bind: undefined, protectedMode: undefined } },
    ['no_password'],
  ],
  [
    'a pure cache without any of it',
    {
      stake: CACHE,
      server: { ...NO_DISK, ...FULL_CACHE, replicas: 0 },
      backups: { ...BACKUPS, newest: undefined },
      host: { ...HOST, overcommit: 0, mount: { point: '/', type: 'overlay' } },
    },
    [],
  ],
  ['a pure cache that is full and cannot evict', { stake: CACHE, server: { usedMemory: 4 * GB } }, ['maxmemory_near']],
  ['a pure cache that refuses writes', { stake: CACHE, server: { aof: false, rdbStatus: 'err' } }, ['rdb_failed']],
  [
    'a pure cache whose snapshots nobody needs',
    { stake: CACHE, server: { ...NO_DISK, rdbStatus: 'err', replicas: 0 } },
    [],
  ],
  ['a pure cache with replicas', { stake: CACHE, server: NO_DISK }, ['(master_could_wipe)']],
  ['a pure cache that everybody may flush', { stake: CACHE, access: { users: [APP], open: false } }, ['(flush_open)']],
]

describe('risksOf', () => {
  it.each(CASES)('%s', (_, story, expected) => {
    expect(codes(story)).toEqual(expected)
  })

  it('holds on to a finding that hangs on a threshold until it is well below', () => {
    const near = { server: { usedMemory: 3.5 * GB } }
    expect(codes(near)).toEqual([])
    expect(codes(near, ['maxmemory_near'])).toEqual(['maxmemory_near'])
    expect(codes({ server: { usedMemory: 3.3 * GB } }, ['maxmemory_near'])).toEqual([])
  })

  it.each([
    ['/etc/redis.conf', 'CONFIG SET appendonly yes, and then CONFIG REWRITE'],
    ['', 'CONFIG SET appendonly yes, and then --appendonly yes where redis-server is started'],
    [undefined, 'set appendonly yes where your provider lets you'],
  ])('mends where the configuration is %s', (configFile, mend) => {
    const facts = { at: NOW, stake: PRECIOUS, server: { ...SOUND, aof: false, configFile } }
    expect(risksOf(facts)[0]?.mend).toContain(mend)
  })

  it('says how much a crash may take, and from whom', () => {
    const message = (server: Partial<ServerState>, stake = PRECIOUS) =>
      risksOf({ at: NOW, stake, server: { ...SOUND, ...server } })[0]?.message
    expect(message({ aof: false })).toBe(
      'The append-only file is off: a crash may lose up to 60 min of changes to 1,200 keys of class backup.',
    )
    expect(message({ aof: false, savePoints: '' }, { ...PRECIOUS, unclassified: 1 })).toBe(
      'The append-only file is off: a crash loses 1,200 keys of class backup and 1 of no class (unknown is not safe).',
    )
    expect(message({ aof: false, savePoints: '' }, UNKNOWN)).toBe(
      'The append-only file is off: a crash loses 34 keys of no class (unknown is not safe).',
    )
  })
})

describe('a class that only a backup brings back, of which there is no key at the moment', () => {
  const stake: KeysAtStake = { ...CACHE, absent: ['sub:user:*', 'jwt:*'] }

  it('is at stake all the same, without a count', () => {
    expect(codes({ stake, server: NO_DISK })).toEqual(codes({ server: NO_DISK }))
    expect(codes({ stake, backups: { ...BACKUPS, scheduled: false, newest: undefined } })).toEqual([
      'no_backup',
      'no_schedule',
    ])
    expect(risksOf({ at: NOW, stake, server: { ...SOUND, aof: false, savePoints: '' } })[0]?.message).toBe(
      'The append-only file is off: a crash loses the keys of class backup to come (sub:user:*, jwt:*; none known now).',
    )
  })

  it('does not change what is said of those that are there', () => {
    const server = { ...SOUND, aof: false, savePoints: '' }
    const [both] = risksOf({ at: NOW, stake: { ...PRECIOUS, absent: ['jwt:*'] }, server })
    expect(both).toEqual(risksOf({ at: NOW, stake: PRECIOUS, server })[0])
  })
})

describe('readState', () => {
  it('reads settings as CONFIG GET says them', () => {
    const settings = new Map([
      ['save', ''],
      ['appendonly', 'yes'],
      ['auto-aof-rewrite-percentage', '0'],
      ['protected-mode', 'no'],
    ])
    expect(readState(new Map(), settings)).toMatchObject({
      savePoints: '',
      aof: true,
      rewritePercentage: 0,
      protectedMode: false,
      keys: undefined,
      allKeys: undefined,
      maxMemory: undefined,
    })
  })

  it('counts the keys of its own database, and no memory that maxmemory leaves out', () => {
    const info = parseInfo(
      'db0:keys=3,expires=0\ndb2:keys=5,expires=1\nused_memory:100\nmem_not_counted_for_evict:30\n',
    )
    expect(readState(info, new Map(), 2)).toMatchObject({ keys: 5, expires: 1, allKeys: 8, usedMemory: 70 })
    expect(readState(info, new Map(), 1)).toMatchObject({ keys: 0, expires: 0, allKeys: 8 })
  })
})
