import { describe, expect, it } from 'vitest'
import { extendNotifyFlags } from '../../src/decide/notify-flags.js'
import { forManySeeds } from '../decide/seeded.js'

describe('extendNotifyFlags', () => {
  it.each([
    ['', 'Eg$xe'],
    ['AKE', undefined],
    ['AE', undefined],
    ['g$xeE', undefined],
    ['AK', 'AKE'],
    ['Kl', 'KlEg$xe'],
    ['xE', 'xEg$e'],
    ['mKE', 'mKEg$xe'],
    ['AKEmn', undefined],
  ])('%j -> %j', (flags, extended) => {
    expect(extendNotifyFlags(flags)).toBe(extended)
  })

  it('keeps what others asked for, and needs no second time', () => {
    forManySeeds((random) => {
      const flags = random.shuffled(random.some([...'AKEg$lshzxetdmn'])).join('')
      const extended = extendNotifyFlags(flags) ?? flags
      expect(extended.startsWith(flags)).toBe(true)
      expect(extendNotifyFlags(extended)).toBeUndefined()
    })
  })
})
