import { beforeAll, expect, it } from 'vitest'
import { describeOwnServers } from '../support/processes.js'
import { until, useRedis } from '../support/servers.js'
import { codesOf, examined } from './examined.js'

const isReplication = (code: string) => /replica|master/.test(code)

describeOwnServers('replicas', () => {
  const master = useRedis({ modules: false, password: 'secret' })
  const replica = useRedis({ modules: false, password: 'secret' })

  beforeAll(async () => {
    await master.cli('CONFIG', 'SET', 'repl-diskless-sync-delay', 0)
    await master.cli('SET', 'sub:user:1', 1)
    await replica.cli('CONFIG', 'SET', 'masterauth', 'secret')
    await replica.cli('REPLICAOF', master.host, master.port)
    await until(async () => /state=online/.test(String(await master.cli('INFO', 'replication'))), { timeout: 30_000 })
    await until(async () => (await replica.cli('DBSIZE')) === 1)
  })

  it('are volatile, and so is their master', async () => {
    const found = (await codesOf(master.url)).filter(isReplication)
    expect(found).toEqual(['master_could_wipe', 'replica_volatile'])
  })

  it('are volatile beside a master that saves', async () => {
    await master.cli('CONFIG', 'SET', 'save', '60 1')
    expect((await codesOf(master.url)).filter(isReplication)).toEqual(['(replica_volatile)'])
    await replica.cli('CONFIG', 'SET', 'save', '60 1')
    expect((await codesOf(master.url)).filter(isReplication)).toEqual([])
    await master.cli('CONFIG', 'SET', 'save', '')
    await replica.cli('CONFIG', 'SET', 'save', '')
  })

  it('say so when asked themselves', async () => {
    expect((await codesOf(replica.url)).filter(isReplication)).toEqual(['(is_replica)'])
  })

  it('hold keys that an empty master is about to take', async () => {
    await replica.cli('CONFIG', 'SET', 'replica-read-only', 'no')
    await master.cli('FLUSHALL')
    await until(async () => (await replica.cli('DBSIZE')) === 0)
    await replica.cli('SET', 'sub:user:2', 1)
    expect((await codesOf(master.url)).filter(isReplication)).toEqual([
      'master_could_wipe',
      'empty_master',
      'replica_volatile',
    ])
    await master.cli('SET', 'sub:user:1', 1)
  })

  it('hold what their master holds, though its database of redis.url is empty', async () => {
    await until(async () => (await replica.cli('DBSIZE')) !== 0)
    const found = await codesOf(master.url.replace(/\/0$/, '/3'))
    expect(found.filter(isReplication)).not.toContain('empty_master')
  })

  it('that do not answer could not be checked', async () => {
    replica.pause()
    const { risks, unchecked } = await examined(master.url)
    replica.resume()
    expect(risks.map(({ code }) => code)).not.toContain('replica_volatile')
    expect(unchecked).toContainEqual({
      what: `the replica ${replica.host}:${replica.port}`,
      why: 'it did not answer: nothing within 2000 ms',
      grant: '',
    })
  })

  it('that take another password could not be checked', async () => {
    await replica.cli('ACL', 'SETUSER', 'default', 'resetpass', '>other')
    const { unchecked } = await examined(master.url)
    expect(unchecked.find(({ what }) => what.startsWith('the replica'))?.why).toMatch(/^it did not answer: WRONGPASS/)
    expect(JSON.stringify(unchecked)).not.toContain('secret')
  })
})
