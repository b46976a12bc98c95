import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/errors.js'
import { quoteIdent, quoteLiteral, quoteTable, splitTable } from '../../src/postgres/identifiers.js'
import { useDatabase } from '../support/servers.js'

describe('quoteTable', () => {
  it.each([
    ['ticks', '"ticks"'],
    ['public.Ticks', '"public"."Ticks"'],
    ['my table', '"my table"'],
    ['"a.b".ticks', '"a.b"."ticks"'],
    ['a."say ""hi"""', '"a"."say ""hi"""'],
    ['Börse.Kurse', '"Börse"."Kurse"'],
  ])('%s -> %s', (name, quoted) => {
    expect(quoteTable(name)).toBe(quoted)
  })

  it.each(['', '.', 'a.', '.a', 'a..b', 'a.b.c', '"a', 'a"b', '"a"b', '""'])('refuses %j', (name) => {
    expect(() => quoteTable(name)).toThrow(ConfigError)
    expect(() => quoteTable(name)).toThrow(/should be table or schema.table/)
  })

  it('splits without quotes', () => {
    expect(splitTable('a."b"".c"')).toEqual(['a', 'b".c'])
  })
})

describe('quoteIdent and quoteLiteral', () => {
  const database = useDatabase()

  it.each(["o'clock", 'back\\slash', "both \\' of them", '"quoted"', 'плюс ¥ 🚀', '', ' '])(
    'carries %j unharmed',
    async (text) => {
      const sql = `SELECT ${quoteLiteral(text)}::text AS ${quoteIdent(`c${text}`)}`
      expect(await database.query(sql)).toEqual([{ [`c${text}`]: text }])
      await database.query('SET standard_conforming_strings = off')
      expect(await database.query(sql)).toEqual([{ [`c${text}`]: text }])
      await database.query('RESET standard_conforming_strings')
    },
  )
})
