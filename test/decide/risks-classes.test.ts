import { describe, expect, it } from 'vitest'
import { shadowedClasses } from '../../src/decide/risks-classes.js'
import type { KeyClass } from '../../src/model.js'

const as = (recovery: KeyClass['recovery'], ...matches: string[]): KeyClass[] =>
  matches.map((match) => ({ match, recovery }))
/** Which of these patterns hide which, if the first is `itself` and the second `backup`. */
const hides = (first: string, second: string): boolean =>
  shadowedClasses([...as('itself', first), ...as('backup', second)]).length > 0

describe('shadowedClasses', () => {
  it.each([
    ['*', 'sub:*'],
    ['sub:*', 'sub:user:*'],
    ['sub:*', 'sub:[ab]*'],
    ['sub:*:x', 'sub:a:*:x'],
    ['sub:?*', 'sub:a'],
    ['s[tu]b:*', 'sub:*'],
    ['sub:\\*', 'sub:\\*'],
    ['sub:[ab]', 'sub:[ab]'],
  ])('%s hides %s', (first, second) => expect(hides(first, second)).toBe(true))

  it.each([
    ['sub:*', '*'],
    ['sub:?', 'sub:*'],
    ['sub:?*', 'sub:*'],
    ['sub:\\*', 'sub:*'],
    ['sub:*', 'jwt:*'],
    ['sub:[ab]*', 'sub:*'],
    ['sub:*:x', 'sub:*:*'],
    ['sub:**', 'sub'],
  ])('%s does not hide %s', (first, second) => expect(hides(first, second)).toBe(false))

  it('names the first that hides, and not what says the same', () => {
    const [all, some, narrow] = as('backup', '*', 'sub:*', 'sub:user:*') as [KeyClass, KeyClass, KeyClass]
    expect(shadowedClasses([all, some, narrow])).toEqual([])
    const told = { ...narrow, impact: 'users lose paid quota' }
    expect(shadowedClasses([all, some, told])).toEqual([{ earlier: all, later: told }])
    expect(shadowedClasses([told, some, all])).toEqual([])
  })
})
