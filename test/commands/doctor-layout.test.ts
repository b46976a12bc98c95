import { describe, expect, it } from 'vitest'
import {
  clean,
  colourfully,
  paragraph,
  plainly,
  table,
  wantsColour,
  widthOf,
  wrap,
} from '../../src/commands/doctor-layout.js'
import { forManySeeds } from '../decide/seeded.js'

const stream = (isTTY: boolean) => ({ isTTY }) as NodeJS.WriteStream

describe('wrap', () => {
  it.each<[string, number, string[]]>([
    ['', 10, ['']],
    ['one two three', 7, ['one two', 'three']],
    ['unbreakable', 4, ['unbr', 'eaka', 'ble']],
    ['it is 12 MB now', 8, ['it is', '12 MB', 'now']],
    ['proved 1 s ago', 9, ['proved', '1 s ago']],
    ['日本語のキー', 5, ['日本', '語の', 'キー']],
  ])('breaks %j at %d columns', (text, width, lines) => {
    expect(wrap(text, width)).toEqual(lines)
  })

  it('loses no word and never goes beyond the width', () => {
    forManySeeds((random) => {
      const words = Array.from({ length: 30 }, () => random.pick(['a', '12', 'MB', 'word', 'longer-word', '日本', 'é']))
      const width = 12 + random.below(60)
      const lines = wrap(words.join(' '), width)
      expect(lines.join(' ')).toBe(words.join(' '))
      for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width)
    })
  })
})

describe('clean', () => {
  it.each([
    ['\x1b[31mred\x07', '?[31mred?'],
    ['a\nb\rc\td', 'a?b?c?d'],
    ['\u009b2J', '?2J'],
    ['\u202egnp.exe', '?gnp.exe'],
    ['\u2028\u200b\ud800', '???'],
    ['Grüße, 日本', 'Grüße, 日本'],
  ])('takes what a terminal would obey out of %j', (text, cleaned) => {
    expect(clean(text)).toBe(cleaned)
  })
})

describe('table', () => {
  it('aligns columns, and goes on below with what is too long', () => {
    const rows = [
      [{ text: 'sub:*' }, { text: '1,200' }, { text: 'users lose paid quota' }],
      [{ text: 'a-very-long:*' }, { text: '7' }, { text: '' }],
    ]
    expect(table([{ most: 8 }, { right: true }, {}], rows, 30, plainly)).toEqual([
      'sub:*     1,200  users lose',
      '                 paid quota',
      'a-very-l      7',
      'ong:*',
    ])
  })

  it('keeps colours out of the widths', () => {
    const rows = [[{ text: 'NOTHING', style: 'red' as const }, { text: 'x' }]]
    expect(table([{}, {}], rows, 80, colourfully)).toEqual(['\x1b[31mNOTHING\x1b[0m  x'])
  })
})

describe('paragraph', () => {
  it('stands beneath its first line', () => {
    expect(paragraph('  → ', 'one two three', 11, String)).toEqual(['  → one two', '    three'])
  })
})

describe('wantsColour', () => {
  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
  ])('where the output is a terminal: %s, with %j: %s', (isTTY, env, wanted) => {
    expect(wantsColour(stream(isTTY), env)).toBe(wanted)
  })
})
