import { describe, expect, it } from 'vitest'
import { addTallies, NOTHING } from '../src/model.js'

describe('addTallies', () => {
  it('adds every count', () => {
    const tally = { keys: 1, samples: 2, fields: 3, superseded: 4, leftOut: 5 }
    expect(addTallies(tally, tally)).toEqual({ keys: 2, samples: 4, fields: 6, superseded: 8, leftOut: 10 })
    expect(addTallies(tally, NOTHING)).toEqual(tally)
  })
})
