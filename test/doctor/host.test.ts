import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readServer } from '../../src/doctor/facts.js'
import { readHost } from '../../src/doctor/host.js'
import { mountOf } from '../../src/doctor/mounts.js'
import { describeOwnServers } from '../support/processes.js'
import { useRedis } from '../support/servers.js'
import { CACHE, codesOf, withWire } from './examined.js'

const MOUNTS = `22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 0:50 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/a - b
28 27 8:1 /vol /data rw,relatime shared:2 - ext4 /dev/sda1 rw
29 28 0:60 / /data/tmp rw - tmpfs tmpfs rw
30 27 8:1 / /with\\040space rw - xfs /dev/sdb rw
31 27 0:70 / /data/tmp rw - ext4 /dev/sdc rw
`

describe('mountOf', () => {
  it.each([
    ['/', '/', 'overlay'],
    ['/database', '/', 'overlay'],
    ['/data', '/data', 'ext4'],
    ['/data/redis', '/data', 'ext4'],
    ['/data/tmp/x', '/data/tmp', 'ext4'],
    ['/with space/x', '/with space', 'xfs'],
    ['/proc/1', '/proc', 'proc'],
  ])('finds what %s lies on', (path, point, type) => {
    expect(mountOf(MOUNTS, path)).toEqual({ point, type })
  })

  it('finds nothing in nothing', () => {
    expect(mountOf('', '/data')).toBeUndefined()
  })
})

const isLinux = process.platform === 'linux'

describeOwnServers('a server on this machine', () => {
  const own = mkdtempSync(join(tmpdir(), 'rekindle-host-'))
  const backups = join(own, 'backups')
  mkdirSync(backups)
  afterAll(() => rmSync(own, { recursive: true, force: true }))

  const redis = useRedis({ modules: false, dir: own })
  const look = (change: Record<string, string> = {}) =>
    withWire(redis.url, async (wire) => {
      const { info, state } = await readServer(wire)
      return readHost(new Map([...info, ...Object.entries(change)]), state.dir, backups)
    })

  it.runIf(isLinux)('is found by its process', async () => {
    const host = await look()
    expect(host).toMatchObject({ overcommit: expect.any(Number), available: expect.any(Number), sharesDisk: true })
    expect(host?.mount?.point).toMatch(/^\//)
    expect(host?.available).toBeGreaterThan(0)
  })

  it.each([
    ['another process', { process_id: '1' }],
    ['another port', { tcp_port: '1' }],
    ['another start', { uptime_in_seconds: '4000' }],
    ['no process', { process_id: '' }],
  ])('is not taken for one with %s', async (_, change) => {
    expect(await look(change)).toBeUndefined()
  })
})

describeOwnServers('a server whose data lies in memory', () => {
  const own = isLinux ? mkdtempSync('/dev/shm/rekindle-host-') : tmpdir()
  if (isLinux) afterAll(() => rmSync(own, { recursive: true, force: true }))
  const redis = useRedis({ modules: false, dir: own })

  it.runIf(isLinux)('is found out', async () => {
    expect(await codesOf(redis.url, CACHE)).not.toContain('dir_not_lasting')
    await redis.cli('SET', 'sub:user:1', 1)
    expect(await codesOf(redis.url)).toContain('dir_not_lasting')
  })
})
