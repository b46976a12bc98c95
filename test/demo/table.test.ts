import { expect, it } from 'vitest'
import { layTable } from '../../demo/table.js'

it('lays a table in columns as wide as their widest cell', () => {
  const columns = [{ title: 'what' }, { title: 'keys', right: true }, { title: 'note' }]
  expect(
    layTable(columns, [
      ['FLUSHALL', '1,234', ''],
      ['DEL', '5', 'one symbol'],
    ]),
  ).toEqual([
    'what       keys  note', // The titles stand as their columns do.
    '────────  ─────  ──────────',
    'FLUSHALL  1,234',
    'DEL           5  one symbol',
  ])
})

it('paints cells without breaking their columns', () => {
  const columns = [{ title: 'what', paint: (cell: string) => `<${cell}>` }, { title: 'keys' }]
  expect(layTable(columns, [['DEL', '5']])).toEqual(['what  keys', '────  ────', '<DEL >  5'])
})
