import { describe, expect, it } from 'vitest'
import type { RowChange } from '../../src/decide/row-change.js'
import { columnsToRead, type Form, Places, type WalTable } from '../../src/decide/wal-places.js'

const target = { dataset: 'indicators', columns: ['symbol', 'instance_id'] }

function table(identity: string[], more: Partial<WalTable> = {}): WalTable {
  return { targets: [target], identity: new Set(identity), isFull: false, forms: new Map(), ...more }
}

const row = (columns: Record<string, string | null>) => new Map(Object.entries(columns))
const insert = (columns: Record<string, string | null>): RowChange & { kind: 'insert' } => ({
  kind: 'insert',
  table: 't',
  row: row(columns),
})
const update = (
  columns: Record<string, string | null>,
  old?: Record<string, string | null>,
): RowChange & { kind: 'update' } => ({
  kind: 'update',
  table: 't',
  row: row(columns),
  ...(old && { old: row(old) }),
})
const remove = (old?: Record<string, string | null>): RowChange & { kind: 'delete' } => ({
  kind: 'delete',
  table: 't',
  ...(old && { old: row(old) }),
})

/** The places that some changes, one after the other, are said to have touched. */
function places(of: WalTable, changes: Parameters<Places['take']>[0][], most?: number) {
  const book = new Places(most)
  return changes.map((change) => book.take(change, of).map(({ place }) => place))
}

const A = { id: '1', symbol: 'A', instance_id: '7' }
const B = { id: '1', symbol: 'B', instance_id: '7' }

describe('the place of a row', () => {
  it('is that of the new row of an INSERT', () => {
    expect(places(table(['id']), [insert(A)])).toEqual([[['A', '7']]])
  })

  it('is told by the old key where the replica identity holds it', () => {
    const of = table(['symbol', 'instance_id', 'id'])
    expect(places(of, [update(A), update(B, A), remove(B)])).toEqual([
      [['A', '7']],
      [
        ['A', '7'],
        ['B', '7'],
      ],
      [['B', '7']],
    ])
    expect(columnsToRead(of)).toEqual(new Set(['symbol', 'instance_id']))
  })

  it('has NULL where the old row has nothing, as with REPLICA IDENTITY FULL', () => {
    const of = table(['symbol', 'instance_id', 'id'], { isFull: true })
    expect(places(of, [remove({ id: '1', instance_id: '7' })])).toEqual([[[null, '7']]])
    // A key has no NULL: where it is not told, the identity has become another one.
    expect(places({ ...of, isFull: false }, [remove({ id: '1', instance_id: '7' })])).toEqual([['all']])
  })

  it('is remembered where the identity does not tell it', () => {
    const of = table(['id'])
    expect(columnsToRead(of)).toEqual(new Set(['symbol', 'instance_id', 'id']))
    expect(places(of, [insert(A), update(A), update(B), remove({ id: '1' })])).toEqual([
      [['A', '7']],
      [['A', '7']],
      [
        ['A', '7'],
        ['B', '7'],
      ],
      [['B', '7']],
    ])
  })

  it('is remembered under the new identity where that changed', () => {
    const moved = { ...A, id: '2' }
    expect(places(table(['id']), [insert(A), update(moved, { id: '1' }), remove({ id: '2' })])).toEqual([
      [['A', '7']],
      [['A', '7']],
      [['A', '7']],
    ])
    // Whoever has the old identity now is another row.
    expect(places(table(['id']), [insert(A), update(moved, { id: '1' }), remove({ id: '1' })]).at(-1)).toEqual(['all'])
  })

  it('may be anywhere for a row that was never seen, or long ago', () => {
    expect(places(table(['id']), [update(A), remove({ id: '2' })])).toEqual([[['A', '7'], 'elsewhere'], ['all']])
    const other = { ...A, id: '2' }
    expect(
      places(table(['id']), [insert(A), insert(other), remove({ id: '1' }), remove({ id: '2' })], 1).slice(2),
    ).toEqual([['all'], [['A', '7']]])
  })

  it('may be anywhere without an identity', () => {
    expect(places(table([]), [insert(A), update(B), remove()])).toEqual([
      [['A', '7']],
      [['B', '7'], 'elsewhere'],
      ['all'],
    ])
  })

  it('is anywhere where a column is too large to be told', () => {
    const { symbol: _, ...cut } = A
    expect(places(table(['id']), [insert(A), update(cut), remove({ id: '1' })])).toEqual([
      [['A', '7']],
      ['all'],
      ['all'],
    ])
  })

  it('is all of a dataset that has no columns for it', () => {
    const symbols = { dataset: 'symbols', columns: [] }
    const of = table(['id'], { targets: [symbols] })
    expect(places(of, [insert(A), update(B), remove()])).toEqual([['all'], ['all'], ['all']])
    expect(new Places().takeAll(of)).toEqual([{ target: symbols, place: 'all' }])
  })

  it('is kept apart for each dataset of a table', () => {
    const targets = [target, { dataset: 'rows.a', columns: ['id'] }]
    const of = table(['id'], { targets })
    const book = new Places()
    book.take(insert(A), of)
    expect(book.take(update(B, { id: '1' }), of)).toEqual([
      { target: targets[0], place: ['A', '7'] },
      { target: targets[0], place: ['B', '7'] },
      { target: targets[1], place: ['1'] },
    ])
  })

  it.each<[Form, string, string | 'all']>([
    ['padded', 'A    ', 'A'],
    ['boolean', 't', 'true'],
    ['boolean', 'false', 'false'],
    ['text', 't ', 't '],
    ['untold', '127.0.0.1', 'all'],
  ])('has the text that a cast would give: %s', (form, text, place) => {
    const of = table(['id'], { forms: new Map([['symbol', form]]) })
    const expected = place === 'all' ? 'all' : [place, '7']
    expect(places(of, [insert({ ...A, symbol: text })])).toEqual([[expected]])
  })
})
