import { expect, it } from 'vitest'
import { KeyFates } from '../../src/decide/key-fates.js'

it('knows of each lost key whether it came back, however often it was lost', () => {
  const fates = new KeyFates()
  for (const key of ['a', 'b', 'c', 'd', 'a']) fates.lose(key)
  fates.settle('a', 'plans', 'back')
  fates.settle('b', 'plans', 'unwanted')
  fates.settle('c', 'tokens', 'expired')
  fates.settle('other', 'plans', 'unwanted')
  expect(fates.counts).toEqual({
    lost: 4,
    back: 1,
    expired: 1,
    unwanted: { plans: 1 },
    unwantedKeys: ['b'],
  })
  // Lost again, and wanted again.
  for (const key of ['a', 'b']) fates.lose(key)
  expect(fates.counts).toMatchObject({ lost: 4, back: 0, unwanted: {} })
  for (const key of ['a', 'b', 'd']) fates.settle(key, 'plans', 'back')
  expect(fates.counts).toMatchObject({ lost: 4, back: 3, expired: 1, unwanted: {}, unwantedKeys: [] })
})

it('takes over what another knows, but for what was lost again', () => {
  const [older, newer] = [new KeyFates(), new KeyFates()]
  for (const key of ['a', 'b', 'c']) older.lose(key)
  older.settle('a', 'plans', 'back')
  older.settle('b', 'plans', 'unwanted')
  newer.lose('a')
  newer.adopt(older)
  expect(newer.counts).toMatchObject({ lost: 3, back: 0, unwanted: { plans: 1 } })
})
