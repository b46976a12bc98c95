import { describe, expect, it } from 'vitest'
import { tableKey } from '../../src/decide/row-change.js'
import { parseTestDecoding } from '../../src/decide/test-decoding.js'

/** All texts here were written by PostgreSQL 18.4; 15.12 writes the same but for the transactions' numbers. */
function parse(text: string, columns: readonly string[] = ['symbol']) {
  return parseTestDecoding(Buffer.from(text), () => new Set(columns))
}

const c = tableKey('public', 'c')
const row = (columns: Record<string, string | null>) => new Map(Object.entries(columns))

const REST =
  `close[numeric]:1.50 ok[boolean]:true tags[text[]]:'{a,"b ]: c"}' "odd ]: col"["My Type]"]:'x' m[mood]:'sad' ` +
  `n[double precision]:NaN b[bytea]:'\\x00ff' bits[bit]:B'101' ch[character]:'ab   ' vc[character varying]:'v' ` +
  `j[jsonb]:'{"a": "it''s"}' d[date]:'2024-02-03' tz[timestamp with time zone]:'2024-01-02 01:04:05+00' ` +
  `u[uuid]:'00000000-0000-0000-0000-000000000001'`
const KEY = `symbol[text]:'BTC''USDT' open_time[timestamp without time zone]:'2024-01-02 03:04:05.123'`

describe('what test_decoding writes', () => {
  it('begins and ends with the transaction', () => {
    expect(parse('BEGIN 755')).toEqual({ kind: 'begin', xid: 755 })
    expect(parse('COMMIT 755')).toEqual({ kind: 'commit' })
    expect(parse('COMMIT 755 (at 2024-01-02 01:04:05.678+00)')).toEqual({ kind: 'commit' })
  })

  it('has values of all types', () => {
    const all = ['symbol', 'open_time', 'close', 'ok', 'tags', 'odd ]: col', 'm', 'n', 'b', 'bits', 'ch', 'j', 'd', 'u']
    expect(parse(`table public.c: INSERT: ${KEY} ${REST}`, all)).toEqual({
      kind: 'insert',
      table: c,
      row: row({
        symbol: "BTC'USDT",
        open_time: '2024-01-02 03:04:05.123',
        close: '1.50',
        ok: 'true',
        tags: '{a,"b ]: c"}',
        'odd ]: col': 'x',
        m: 'sad',
        n: 'NaN',
        b: '\\x00ff',
        bits: '101',
        ch: 'ab   ',
        j: '{"a": "it\'s"}',
        d: '2024-02-03',
        u: '00000000-0000-0000-0000-000000000001',
      }),
    })
  })

  it('has NULL as such, also beside a text of the same letters', () => {
    expect(parse(`table public.nokey: INSERT: symbol[text]:null v[integer]:2`)).toMatchObject({
      row: row({ symbol: null }),
    })
    expect(parse(`table public.nokey: INSERT: symbol[text]:'null' v[integer]:2`)).toMatchObject({
      row: row({ symbol: 'null' }),
    })
  })

  it('has the old key of an update that changed it', () => {
    const text = `table public.c: UPDATE: old-key: ${KEY} new-tuple: symbol[text]:'ETH' open_time[timestamp without time zone]:'2024-01-02 03:04:05.123' ${REST}`
    expect(parse(text)).toEqual({
      kind: 'update',
      table: c,
      old: row({ symbol: "BTC'USDT" }),
      row: row({ symbol: 'ETH' }),
    })
  })

  it('has the new row alone of one that did not', () => {
    const update = parse(`table public.c: UPDATE: ${KEY} ${REST}`)
    expect(update).toEqual({ kind: 'update', table: c, row: row({ symbol: "BTC'USDT" }) })
  })

  it('is not led astray by a value that looks like more', () => {
    const text = `table public.fullid: UPDATE: old-key: symbol[text]:'a new-tuple: symbol[text]:''b''' new-tuple: symbol[text]:'c' v[integer]:null`
    expect(parse(text)).toMatchObject({
      old: row({ symbol: "a new-tuple: symbol[text]:'b'" }),
      row: row({ symbol: 'c' }),
    })
  })

  it('has nothing of a row that was deleted without an identity', () => {
    expect(parse('table public.nokey: DELETE: (no-tuple-data)')).toEqual({
      kind: 'delete',
      table: tableKey('public', 'nokey'),
    })
    expect(parse(`table public.part_1: DELETE: symbol[text]:'A' day[integer]:1`)).toEqual({
      kind: 'delete',
      table: tableKey('public', 'part_1'),
      old: row({ symbol: 'A' }),
    })
  })

  it('leaves out what is large and unchanged', () => {
    const text = `table public.big: UPDATE: id[integer]:1 symbol[text]:'ETH' body[text]:unchanged-toast-datum`
    expect(parse(text, ['symbol', 'body'])).toMatchObject({ row: row({ symbol: 'ETH' }) })
    // As a text it is one.
    expect(parse(text.replace(/unchanged-toast-datum/, "'$&'"), ['body'])).toMatchObject({
      row: row({ body: 'unchanged-toast-datum' }),
    })
  })

  it('has names of any characters, and line breaks', () => {
    const text = `table "My ""Schema"."Od.d: t": UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:7 symbol[text]:'line\nbreak \\ [x]: ''q''' "select"[text]:''`
    expect(parse(text, ['id', 'symbol', 'select'])).toEqual({
      kind: 'update',
      table: tableKey('My "Schema', 'Od.d: t'),
      old: row({ id: '1' }),
      row: row({ id: '7', symbol: "line\nbreak \\ [x]: 'q'", select: '' }),
    })
  })

  it('names all tables that were truncated together', () => {
    const tables = ['c', 'part', 'part_1', 'part_2'].map((name) => tableKey('public', name))
    expect(parse('table public.c, public.part, public.part_1, public.part_2: TRUNCATE: (no-flags)')).toEqual({
      kind: 'any',
      tables,
    })
    expect(parse('table public.nokey: TRUNCATE: restart_seqs cascade')).toMatchObject({ kind: 'any' })
    // Of no interest each, but not known before all are read.
    const names = Array.from({ length: 40 }, (_, i) => `public.some_table_${i}`)
    const truncated = parseTestDecoding(Buffer.from(`table ${names.join(', ')}: TRUNCATE: (no-flags)`), () => undefined)
    expect(truncated).toMatchObject({
      kind: 'any',
      tables: expect.arrayContaining([tableKey('public', 'some_table_39')]),
    })
  })

  it('tells of tables of no interest by their name only, however long the row', () => {
    const text = `table public.c: INSERT: symbol[text]:'${'x'.repeat(1_000)}`
    expect(parseTestDecoding(Buffer.from(text), () => undefined)).toEqual({ kind: 'other', table: c })
  })

  it('tells nothing of rows in a message', () => {
    expect(parse('message: transactional: 1 prefix: p, sz: 23 content:table public.c: INSERT:')).toBeUndefined()
  })

  it.each([
    `table public.c: INSERT: symbol[text]:'cut`,
    `table public.c: INSERT: symbol[text`,
    `table public.c: INSERT: symbol`,
    `table public.c: MERGE: symbol[text]:'A'`,
    `table public.c: UPDATE: old-key: symbol[text]:'A'`,
  ])('may mean any row where it cannot be read: %s', (text) => {
    expect(parse(text)).toEqual({ kind: 'any', tables: [c] })
  })

  it('reads names of the greatest length', () => {
    const long = '"'.repeat(63)
    const quoted = `"${long.replaceAll('"', '""')}"`
    const text = `table ${quoted}.${quoted}: INSERT: symbol[text]:'A'`
    expect(parse(text)).toMatchObject({ kind: 'insert', table: tableKey(long, long) })
    expect(parseTestDecoding(Buffer.from(text), () => undefined)).toEqual({
      kind: 'other',
      table: tableKey(long, long),
    })
  })
})
