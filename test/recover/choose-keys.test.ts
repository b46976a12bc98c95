import { expect, it } from 'vitest'
import { chooseKeys, classesWanted } from '../../src/recover/choose-keys.js'
import { testConfig } from '../support/daemon.js'

const config = testConfig('redis://127.0.0.1', 'postgres://127.0.0.1/none', {
  more: {
    keys: [
      { match: 'sub:free:*', recovery: 'itself' },
      { match: 'sub:*', recovery: 'backup' },
    ],
  },
})

function chosen(patterns: string[], keys: string[]): { keys: string[]; left: number } {
  const { select, isLeftToHeal } = chooseKeys(config, patterns)
  const those = (are: (key: Buffer) => boolean): string[] => keys.filter((key) => are(Buffer.from(key)))
  return { keys: those(select), left: those(isLeftToHeal).length }
}

const ALL = ['sub:1', 'sub:free:1', 'other', 'ohlcv:BTCUSDT:m1', 'indicator:BTCUSDT:m1']

it('chooses what only a backup can bring back, if nothing is named', () => {
  expect(chosen([], ALL)).toEqual({ keys: ['sub:1'], left: 0 })
})

it('chooses what is named, whatever its class', () => {
  expect(chosen(['sub:*', 'oth?r'], ALL)).toEqual({ keys: ['sub:1', 'sub:free:1', 'other'], left: 0 })
})

it('leaves to the heal, and counts, what PostgreSQL gives back', () => {
  expect(chosen(['*'], ALL)).toEqual({ keys: ['sub:1', 'sub:free:1', 'other'], left: 2 })
})

it('matches names that are no text', () => {
  expect(chooseKeys(config, ['sub:*']).select(Buffer.from([0x73, 0x75, 0x62, 0x3a, 0xff, 0x0a]))).toBe(true)
})

it.each([
  { patterns: [], wanted: ['sub:*'] },
  { patterns: ['sub:*'], wanted: ['sub:free:*', 'sub:*'] },
  { patterns: ['sub:user:1'], wanted: ['sub:*'] },
  { patterns: ['s*'], wanted: ['sub:free:*', 'sub:*', ''] },
  { patterns: ['other:*'], wanted: [''] },
  { patterns: ['sub:*', 'other:*'], wanted: ['sub:free:*', 'sub:*', ''] },
])('wants of $patterns the classes $wanted', ({ patterns, wanted }) => {
  expect(classesWanted(config, patterns)).toEqual(wanted)
})
