import { describe, expect, it } from 'vitest'
import { RiskLedger } from '../../src/decide/risk-ledger.js'
import type { Risk } from '../../src/model.js'
import { forManySeeds } from './seeded.js'

function risk(code: string, severity: Risk['severity'] = 'risk'): Risk {
  return { code, severity, message: `${code}.`, mend: 'mend it' }
}

/** Lets a ledger look once a second, and gives what each look told: `+code`, `-code after ms`. */
function tell(looks: readonly (readonly Risk[])[]): string[] {
  const ledger = new RiskLedger()
  return looks.map((found, i) => {
    const { appeared, gone } = ledger.look(found, i * 1_000)
    return [
      ...appeared.map(({ code, severity }) => `+${code} ${severity}`),
      ...gone.map(({ code, after_ms }) => `-${code} ${after_ms}`),
    ].join()
  })
}

const a = risk('a')
const noteA = risk('a', 'note')
const b = risk('b')

describe('RiskLedger', () => {
  it.each<[string, Risk[][], string[]]>([
    ['tells what is seen twice, once', [[a], [a], [a], [a]], ['', '+a risk', '', '']],
    ['does not tell what is seen now and then', [[a], [], [], [a], [], []], ['', '', '', '', '', '']],
    [
      'tells what comes and goes all the time, once',
      [[a], [], [a], [], [a], [], [], []],
      ['', '', '+a risk', '', '', '', '', '-a 7000'],
    ],
    ['tells a note that is a risk at every other look', [[noteA], [a], [noteA], [a]], ['', '', '+a note', '+a risk']],
    ['tells what is absent three times', [[a], [a], [], [], []], ['', '+a risk', '', '', '-a 4000']],
    [
      'does not tell what is absent now and then',
      [[a], [a], [], [], [a], [], [a], []],
      ['', '+a risk', '', '', '', '', '', ''],
    ],
    ['never ends what it has not told', [[a], [], [], []], ['', '', '', '']],
    ['tells what comes again', [[a], [a], [], [], [], [a], [a]], ['', '+a risk', '', '', '-a 4000', '', '+a risk']],
    ['keeps findings apart', [[a], [a, b], [b], [], []], ['', '+a risk', '+b risk', '', '-a 4000']],
    [
      'tells a note that becomes a risk',
      [[noteA], [noteA], [a], [a], [noteA], [a], [a]],
      ['', '+a note', '', '+a risk', '', '', ''],
    ],
    ['counts a risk from when it is one', [[noteA], [a], [a]], ['', '', '+a risk']],
  ])('%s', (_, looks, told) => {
    expect(tell(looks)).toEqual(told)
  })

  it('knows which findings stand', () => {
    const ledger = new RiskLedger()
    ledger.look([a], 0)
    expect([...ledger.standing]).toEqual([])
    ledger.look([a, b], 1)
    expect([...ledger.standing]).toEqual(['a'])
    ledger.look([], 2)
    expect([...ledger.standing]).toEqual(['a'])
  })

  it('tells comings and goings in turn, whatever it sees', () => {
    forManySeeds((random) => {
      const looks = Array.from({ length: 60 }, () => (random.fraction() < 0.5 ? [a] : []))
      const told = tell(looks)
        .filter(Boolean)
        .map((each) => each[0])
      told.forEach((sign, i) => {
        expect(sign).toBe(i % 2 === 0 ? '+' : '-')
      })
    })
  })
})
