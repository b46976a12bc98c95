import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseInfo, serverFacts } from '../../src/decide/info.js'

const read = (version: string): string =>
  readFileSync(new URL(`info/redis-${version}.txt`, import.meta.url), 'utf8').replaceAll('\n', '\r\n')

const COMMANDSTATS = [
  '# Commandstats',
  'cmdstat_unlink:calls=4,usec=2,usec_per_call=2.00,rejected_calls=0,failed_calls=0',
  'cmdstat_del:calls=1200,usec=3,usec_per_call=3.00,rejected_calls=0,failed_calls=0',
  'cmdstat_config|get:calls=7,usec=84,usec_per_call=84.00,rejected_calls=0,failed_calls=0',
  'cmdstat_flushall:calls=1,usec=275,usec_per_call=275.00,rejected_calls=0,failed_calls=0',
  'cmdstat_flushdb:calls=2,usec=65,usec_per_call=32.50,rejected_calls=0,failed_calls=0',
  'cmdstat_swapdb:calls=1,usec=2,usec_per_call=2.00,rejected_calls=0,failed_calls=0',
].join('\r\n')

const SEVEN = {
  runId: '7e0236d67e366807aac1c52691af5bf103ff85bd',
  version: '7.0.15',
  time: 1_795_154_101_118,
  replicationId: '9e669f0d9852f2343dbb2d76439accd4c618dc68',
  rdbLastSaveAt: 1_795_154_100_000,
  usedMemory: 1_065_008,
}
const EIGHT = {
  runId: '5d07a4cb4979f9769fe886ce938df7ac77ffe7a5',
  version: '8.0.6',
  time: 1_795_154_101_771,
  replicationId: '0f9587695aad3dfada31bf4b61079002fb5978c9',
  rdbLastSaveAt: 1_795_154_101_000,
  usedMemory: 844_216,
}

const NOTHING_TOLD = {
  runId: undefined,
  version: undefined,
  time: undefined,
  role: undefined,
  loading: false,
  cluster: false,
  uptimeSeconds: undefined,
  configFile: undefined,
  directory: undefined,
  replicationId: undefined,
  previousReplicationId: undefined,
  aofEnabled: undefined,
  appendfsync: undefined,
  aofLastWriteStatus: undefined,
  rdbLastSaveAt: undefined,
  rdbChangesSinceSave: undefined,
  rdbLastStatus: undefined,
  keysLoaded: undefined,
  evictedKeys: undefined,
  expiredKeys: undefined,
  usedMemory: undefined,
  maxMemory: undefined,
  maxMemoryPolicy: undefined,
  calls: undefined,
}

describe('serverFacts', () => {
  it.each([SEVEN, EIGHT])('reads the INFO of Redis $version', (own) => {
    expect(serverFacts(read(own.version), COMMANDSTATS, '/var/lib/redis', 42, 'everysec')).toEqual({
      ...own,
      at: 42,
      role: 'master',
      loading: false,
      cluster: false,
      uptimeSeconds: 86,
      configFile: '/etc/redis/redis.conf',
      directory: '/var/lib/redis',
      previousReplicationId: '0'.repeat(40),
      aofEnabled: false,
      appendfsync: 'everysec',
      aofLastWriteStatus: 'ok',
      rdbChangesSinceSave: 5,
      rdbLastStatus: 'ok',
      keysLoaded: 0,
      evictedKeys: 0,
      expiredKeys: 0,
      maxMemory: 0,
      maxMemoryPolicy: 'noeviction',
      calls: { flushall: 1, flushdb: 2, swapdb: 1, del: 1200, unlink: 4 },
    })
  })

  it('knows nothing where INFO is forbidden', () => {
    expect(serverFacts('', undefined, undefined, 42)).toEqual({ at: 42, ...NOTHING_TOLD })
  })

  it.each([
    ['role:slave', { role: 'replica' }],
    ['role:replica', { role: 'replica' }],
    ['role:sentinel', { role: undefined }],
    ['loading:1', { loading: true }],
    ['cluster_enabled:1', { cluster: true }],
    ['aof_enabled:1', { aofEnabled: true }],
    ['config_file:', { configFile: '' }],
    ['config_file:C:\\redis\\redis.conf', { configFile: 'C:\\redis\\redis.conf' }],
    ['evicted_keys:many', { evictedKeys: undefined }],
    ['maxmemory:17179869184', { maxMemory: 17_179_869_184 }],
  ])('reads %s', (line, told) => {
    expect(serverFacts(`# Odd\r\n${line}\r\n`, undefined, undefined, 42)).toMatchObject(told)
  })

  it.each(['', '# Commandstats\r\n', 'cmdstat_flushall:', 'cmdstat_flushall:usec=3,calls=9', 'flushall:calls=3'])(
    'counts no calls in %j',
    (stats) => {
      const calls = { flushall: 0, flushdb: 0, swapdb: 0, del: 0, unlink: 0 }
      expect(serverFacts('', stats, undefined, 42).calls).toEqual(calls)
    },
  )
})

describe('parseInfo', () => {
  it('reads lines of a name and a value, whatever ends them', () => {
    const text = '# Server\r\nrun_id:abc\r\n\r\nos:Linux 6.1: x\nempty:\n:nameless\nno colon\nlast:1'
    expect([...parseInfo(text)]).toEqual([
      ['run_id', 'abc'],
      ['os', 'Linux 6.1: x'],
      ['empty', ''],
      ['last', '1'],
    ])
  })
})
