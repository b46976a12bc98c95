import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const shipped = fileURLToPath(new URL('../../systemd', import.meta.url))
const version = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' })
const hasAnalyze = version.status === 0
if (!hasAnalyze) console.log('systemd-analyze was not found: the tests of the systemd units are SKIPPED.')

/** The worst rating that systemd-analyze may give, in tenths. */
const WORST = 15

function analyze(...args: string[]): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' })
  return { status, text: `${stdout}${stderr}`.trim() }
}

describe.skipIf(!hasAnalyze)('the systemd units', () => {
  let folder: string

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rekindle-units-'))
    cpSync(shipped, folder, { recursive: true })
    // What users write themselves: a worker, and the drop-in where it belongs.
    writeFileSync(join(folder, 'worker.service'), '[Service]\nExecStart=/bin/true\n')
    const onRedisHost = join(folder, 'on-redis-host')
    mkdirSync(join(onRedisHost, 'rekindle.service.d'), { recursive: true })
    cpSync(join(folder, 'rekindle.service'), join(onRedisHost, 'rekindle.service'))
    cpSync(join(folder, 'redis-data.conf'), join(onRedisHost, 'rekindle.service.d', 'redis-data.conf'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const units = ['rekindle.service', 'rekindle-backup.service', 'rekindle-backup.timer', 'worker.service']
  it.each([...units, 'on-redis-host/rekindle.service'])('%s verifies in silence', (unit) => {
    expect(analyze('verify', '--man=no', join(folder, unit))).toEqual({ status: 0, text: '' })
  })

  it.each(['rekindle.service', 'rekindle-backup.service', 'on-redis-host/rekindle.service'])(
    '%s is exposed to little',
    (unit) => {
      const { status, text } = analyze('security', '--offline=true', `--threshold=${WORST}`, join(folder, unit))
      expect(text).toMatch(/Overall exposure level for \S+: \d\.\d OK/)
      expect(status, text).toBe(0)
    },
  )
})

describe('the files in systemd/', () => {
  const read = (name: string): string => readFileSync(join(shipped, name), 'utf8')
  const hardening = (name: string): string[] =>
    read(name)
      .split('# It owns nothing')[1]
      ?.split('\n')
      .filter((line) => /^[A-Z]\w+=/.test(line) && line !== 'WantedBy=multi-user.target') ?? []

  it('harden both services alike', () => {
    expect(hardening('rekindle.service').length).toBeGreaterThan(20)
    expect(hardening('rekindle-backup.service')).toEqual(hardening('rekindle.service'))
  })

  it('hold no password, and hand the daemon its secrets as credentials', () => {
    for (const name of readdirSync(shipped, { recursive: true, encoding: 'utf8' })) {
      if (/\.(service|timer|conf)$/.test(name) && !/\.d$/.test(name))
        expect(read(name)).not.toMatch(/:\/\/[^\s/]*:[^\s/]*@/)
    }
    expect(read('rekindle.service')).toMatch(/^LoadCredential=redis-url:/m)
    expect(read('rekindle.service')).toMatch(
      /^Environment=REDIS_URL_FILE=%d\/redis-url DATABASE_URL_FILE=%d\/database-url$/m,
    )
  })

  it('leave V8 its compiler', () => {
    expect(read('rekindle.service')).not.toMatch(/^MemoryDenyWriteExecute=/m)
  })
})
