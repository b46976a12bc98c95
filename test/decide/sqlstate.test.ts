import { expect, it } from 'vitest'
import { verdictOf } from '../../src/decide/sqlstate.js'

/** Every class of the appendix, by one of its codes, and the codes that differ from their class. */
const WHOSE = {
  query:
    '22012 22003 01000 02000 03000 09000 0A000 0B000 0F000 0L000 0P000 0Z000 10608 20000 21000 23502 23514 24000 25001 25006 25P02 26000 ' +
    '27000 2B000 2D000 2F005 34000 38000 39P01 3B000 40001 40P01 44000 53100 53200 53400 54001 55000 55P03 57000 57014 58030 ' +
    '72000 F0000 HV000 P0001 XX000 XX001 XX002 U1234',
  schema: '22007 22P02 3F000 42501 42601 42703 42P01',
  login: '28000 28P01 3D000 57P04',
  server: '08000 08006 08P01 25P03 25P04 53300 57P01 57P02 57P03 57P05',
}

it.each(Object.entries(WHOSE))('a trouble of the %s', (whose, codes) => {
  for (const code of codes.split(' ')) expect([code, verdictOf(code).whose]).toEqual([code, whose])
})

it('is thought to pass only where nobody has to mend anything', () => {
  const passing = Object.values(WHOSE)
    .join(' ')
    .split(' ')
    .filter((code) => verdictOf(code).passing)
  expect(passing.sort()).toEqual(
    `08000 08006 08P01 25P03 25P04 40001 40P01 53100 53200 53300 53400 55P03 57P01 57P02 57P03 57P05 72000 HV000`.split(
      ' ',
    ),
  )
})
