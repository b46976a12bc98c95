import { describe, expect, it } from 'vitest'
import { pgoutputParser } from '../../src/decide/pgoutput.js'
import { tableKey } from '../../src/decide/row-change.js'
import { SENT } from './pgoutput-sent.js'

type Name = keyof typeof SENT

/** What the last of these messages says, of these columns. */
function read(names: readonly Name[], columns: readonly string[] = ['symbol', 'close', 'm']) {
  const parse = pgoutputParser()
  return names.map((name) => parse(Buffer.from(SENT[name], 'hex'), () => new Set(columns))).at(-1)
}

const row = (columns: Record<string, string | null>) => new Map(Object.entries(columns))
const c = tableKey('public', 'c')
const odd = tableKey('My "Schema', 'Od.d: t')

describe('what pgoutput sends', () => {
  it('begins and ends with the transaction', () => {
    expect(read(['begin'])).toEqual({ kind: 'begin', xid: 0x2f3 })
    expect(read(['commit'])).toEqual({ kind: 'commit' })
  })

  it('describes types and tables without a row', () => {
    expect(read(['type'])).toBeUndefined()
    expect(read(['relationC'])).toBeUndefined()
  })

  it('has the columns that are asked for', () => {
    expect(read(['relationC', 'insertC'])).toEqual({
      kind: 'insert',
      table: c,
      row: row({ symbol: "BTC'USDT", close: '1.50', m: 'sad' }),
    })
    expect(read(['relationC', 'insertC'], ['odd ]: col', 'j', 'ok', 'ch'])).toMatchObject({
      row: row({ ok: 't', 'odd ]: col': 'x', ch: 'ab   ', j: '{"a": "it\'s"}' }),
    })
    expect(read(['relationC', 'updateC'])).toEqual({
      kind: 'update',
      table: c,
      row: row({ symbol: "BTC'USDT", close: '2', m: null }),
    })
  })

  it('has of the row before the key alone, or all of it', () => {
    expect(read(['relationC', 'moveC'])).toEqual({
      kind: 'update',
      table: c,
      old: row({ symbol: "BTC'USDT" }),
      row: row({ symbol: 'ETH', close: '2', m: null }),
    })
    expect(read(['relationC', 'deleteC'])).toEqual({ kind: 'delete', table: c, old: row({ symbol: 'ETH' }) })
    expect(read(['relationFull', 'moveFull'], ['symbol', 'v'])).toMatchObject({
      old: row({ symbol: 'A', v: null }),
      row: row({ symbol: 'B', v: null }),
    })
    expect(read(['relationFull', 'deleteFull'])).toMatchObject({ kind: 'delete', old: row({ symbol: 'B' }) })
  })

  it('has names and texts of any characters', () => {
    expect(read(['relationOdd', 'insertOdd'], ['symbol', 'select'])).toEqual({
      kind: 'insert',
      table: odd,
      row: row({ symbol: "line\nbreak \\ [x]: 'q'", select: '' }),
    })
    expect(read(['relationOdd', 'renumberOdd'], ['id'])).toMatchObject({
      old: row({ id: '1' }),
      row: row({ id: '7' }),
    })
  })

  it('leaves out what is large and unchanged', () => {
    expect(read(['relationBig', 'updateBig'], ['symbol', 'body'])).toMatchObject({ row: row({ symbol: 'ETH' }) })
  })

  it('names all tables that were truncated together', () => {
    expect(read(['relationC', 'relationPart1', 'relationPart2', 'truncate'])).toEqual({
      kind: 'any',
      tables: [c, tableKey('public', 'part_1'), tableKey('public', 'part_2')],
    })
  })

  it('tells of tables of no interest by their name only', () => {
    const parse = pgoutputParser()
    parse(Buffer.from(SENT.relationC, 'hex'), () => undefined)
    expect(parse(Buffer.from(SENT.insertC, 'hex'), () => undefined)).toEqual({ kind: 'other', table: c })
  })

  it('is not taken for something else where it is cut', () => {
    const parse = pgoutputParser()
    parse(Buffer.from(SENT.relationC, 'hex'), () => new Set())
    const cut = Buffer.from(SENT.insertC, 'hex').subarray(0, 12)
    expect(() => parse(cut, () => new Set(['symbol']))).toThrow(RangeError)
  })
})
