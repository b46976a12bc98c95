import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { dateOf, RedisClock, steadyTime } from '../src/clock.js'

/** Where the machine's clock is asked, and why it may be. Everything else asks src/clock.ts, whose clocks cannot be set. */
const WALL: Readonly<Record<string, string>> = {
  'clock.ts': 'it is the place',
  'backup/prune.ts': 'how old files are, by the date in their manifests',
  'backup/ratchet-folder.ts': 'only where INFO does not tell the time',
  'backup/ratchet-freeze.ts': 'how old files are, by the date in their names',
  'backup/ratchet-unfinished.ts': 'how old files are',
  'backup/ratchet.ts': 'the name of a file',
  'backup/take.ts': 'how old files are',
  'commands/backup-list.ts': 'shown to people',
  'daemon/announcements.ts': 'shown to people',
  'daemon/backups.ts': 'how old files are, by the date in their manifests',
  'daemon/recovery.ts': 'shown to people',
  'detect/changes.ts': 'a part of a token',
  'doctor/examine.ts': 'how old files are, by the date in their manifests',
  'doctor/watch-risks.ts': 'how old files are, by the date in their manifests',
  'report/systemd-status.ts': 'shown to people',
  'doctor/host.ts': 'compared with the start of a process, by the same clock',
  'recover/data-directory.ts': 'the name of a file',
  'recover/dead-attempts.ts': 'how old files are',
  'recover/drill.ts': 'written to a manifest',
  'redis/marks.ts': 'a part of a token',
  'report/webhook.ts': 'told to the receiver, also in the signature',
  'serve/health.ts': 'shown to people',
  'serve/outlets.ts': 'shown to people',
  'serve/routes.ts': 'shown to people',
  'serve/script.ts': 'shown to people, by the clock of their browser',
  'serve/stream.ts': 'shown to people',
}

describe("the machine's clock", () => {
  it('is asked where it is for people and files, and nowhere else', () => {
    const src = join(import.meta.dirname, '../src')
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
    const asking = files.filter((name) => /\bDate\.now\b|\bnew Date\(\)/.test(readFileSync(join(src, name), 'utf8')))
    expect(asking.sort()).toEqual(Object.keys(WALL).sort())
  })
})

describe('our clocks', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it('go on evenly when that of the machine is set, and what they tell is shown by it', () => {
    const moment = steadyTime()
    const later = Date.now() + 3_600_000
    vi.spyOn(Date, 'now').mockReturnValue(later)
    expect(steadyTime() - moment).toBeLessThan(60_000)
    expect(later - dateOf(moment).getTime()).toBeLessThan(60_000)
  })

  it("Redis' own is told from its last reading", () => {
    const clock = new RedisClock()
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(60_000)
    clock.read(1_000, steadyTime() - 500)
    expect(clock.now()).toBeGreaterThanOrEqual(1_500)
    expect(clock.now()).toBeLessThan(60_000)
    clock.read(undefined, steadyTime())
    expect(clock.now()).toBeLessThan(60_000)
    clock.read(2_000_000, steadyTime())
    expect(clock.now()).toBeGreaterThanOrEqual(2_000_000)
  })
})
