import { describe, expect, test } from 'vitest'
import { isBackupMissed, isDrillDue } from '../../src/decide/backup-plan.js'

describe('a scheduled backup was missed', () => {
  test.each([
    ['the newest is from before it was due', 99, 100, true],
    ['the newest was taken when it was due', 100, 100, false],
    ['the newest is later, by hand', 150, 100, false],
    ['there is none yet', undefined, 100, false],
    ['it was never due', 50, undefined, false],
  ])('%s', (_, newest, due, missed) => {
    expect(isBackupMissed(newest, due)).toBe(missed)
  })
})

describe('a drill is due', () => {
  test.each([
    ['no backups', [], false],
    ['never proved', [undefined, undefined], true],
    ['proved long ago', [undefined, 0], true],
    ['proved exactly that long ago', [900], true],
    ['an older one proved lately', [undefined, 950], false],
    ['proved just now', [1_000], false],
  ])('%s', (_, provedAt, due) => {
    expect(isDrillDue(provedAt, 100, 1_000)).toBe(due)
  })
})
