import { describe, expect, it } from 'vitest'
import { globTest } from '../../src/decide/glob.js'
import { Shapes } from '../../src/doctor/shapes.js'

function shapesOf(keys: Iterable<string>, most = 10): [string, number][] {
  const shapes = new Shapes()
  for (const key of keys) shapes.add(key)
  return shapes.commonest(most).map(({ match, keys }) => [match, keys])
}

const many = (times: number, key: (nth: number) => string) => Array.from({ length: times }, (_, nth) => key(nth))

describe('Shapes', () => {
  it.each<[string, string[], [string, number][]]>([
    [
      'numbers',
      ['sess:1', 'sess:22', 'user:7:name'],
      [
        ['sess:*', 2],
        ['user:*:name', 1],
      ],
    ],
    ['long and odd parts', ['a:0f8a-b7:x', `a:${'z'.repeat(30)}:x`, 'a:\x1b[31m:x', 'a:*:x'], [['a:*:x', 4]]],
    [
      'other separators',
      ['app/1/a', 'job.2', 'user_3', 'plain'],
      [
        ['app/*/a', 1],
        ['job.*', 1],
        ['plain', 1],
        ['user_*', 1],
      ],
    ],
    ['what is deep', ['a:b:c:d:e:f', 'a:b:c:x:y'], [['a:b:c:*', 2]]],
    [
      'whole keys without a name last',
      ['7', '8', 'x:1'],
      [
        ['x:*', 1],
        ['*', 2],
      ],
    ],
    [
      'a key that is another’s beginning',
      ['a', 'a:b', 'a:'],
      [
        ['a', 1],
        ['a:*', 1],
        ['a:b', 1],
      ],
    ],
    ['nothing', [], []],
  ])('finds the shape of %s', (_, keys, shapes) => {
    expect(shapesOf(keys)).toEqual(shapes)
  })

  it('takes for ids what is different in every key', () => {
    const names = many(40, (nth) => `sess:${String.fromCharCode(97 + (nth % 26), 97 + (nth % 7))}x:token`)
    expect(shapesOf(names)).toEqual([['sess:*:token', 40]])
  })

  it('keeps names apart as long as they are few', () => {
    const keys = many(100, (nth) => `${['cart', 'mail', 'push'][nth % 3]}:${nth}`)
    expect(shapesOf(keys)).toEqual([
      ['cart:*', 34],
      ['mail:*', 33],
      ['push:*', 33],
    ])
  })

  it('counts every key once, and its patterns match', () => {
    const keys = many(20_000, (nth) =>
      [`${nth}`, 'ab', (nth * 7919).toString(36), 'cd'].slice(0, 1 + (nth % 4)).join(':'),
    )
    const shapes = shapesOf(keys, 100_000)
    expect(shapes.reduce((sum, [, count]) => sum + count, 0)).toBe(20_000)
    const tests = shapes.map(([match]) => globTest(match))
    for (const key of keys.slice(0, 200)) expect(tests.some((test) => test(key))).toBe(true)
  })

  it('stays small, whatever it is given', () => {
    const letters = 'abcdefghijklmnopqrstuvwxyz'
    const word = (nth: number) => letters[nth % 26] ?? ''
    const keys = function* () {
      for (let nth = 0; nth < 60_000; nth++)
        yield [nth, nth >> 3, nth >> 6, nth >> 9]
          .map((each) => word(each) + word(each >> 2) + word(each >> 4))
          .join(':')
    }
    expect(shapesOf(keys(), 1_000_000).length).toBeLessThan(5_000)
  })
})
