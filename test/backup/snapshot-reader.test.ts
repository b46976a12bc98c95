import { expect, it } from 'vitest'
import { SnapshotReader } from '../../src/backup/snapshot-reader.js'

const MARK = `${'a'.repeat(39)}b`

/** What a reader makes of a text that comes in pieces of so many bytes. */
function read(text: string, size: number): { file: string; reader: SnapshotReader } {
  const reader = new SnapshotReader()
  const bytes = Buffer.from(text, 'latin1')
  let file = ''
  for (let at = 0; at < bytes.length; at += size) {
    file += reader
      .take(bytes.subarray(at, at + size))
      .map((part) => part.toString('latin1'))
      .join('')
  }
  return { file, reader }
}

it.each([1, 2, 7, 39, 40, 41, 1000])('finds the snapshot in pieces of %i bytes', (size) => {
  const content = `REDIS0010 with \n newlines\r\n and ${'a'.repeat(60)}`
  const counted = read(`\n\n\n$${content.length}\r\n${content}`, size)
  expect(counted.file).toBe(content)
  expect(counted.reader).toMatchObject({ isComplete: true, total: content.length })
  const marked = read(`\n$EOF:${MARK}\r\n${content}${MARK}`, size)
  expect(marked.file).toBe(content)
  expect(marked.reader).toMatchObject({ isComplete: true, total: undefined })
})

it('is not complete before all has come', () => {
  expect(read('$10\r\n123456789', 3).reader.isComplete).toBe(false)
  expect(read(`$EOF:${MARK}\r\n12345678${MARK.slice(1)}`, 3).reader.isComplete).toBe(false)
  expect(read('\n\n', 1).reader.isComplete).toBe(false)
})

it('takes nothing that follows', () => {
  expect(read('$3\r\nabc*1\r\n$4\r\nPING\r\n', 1000).file).toBe('abc')
})

it('throws what the server refuses with', () => {
  expect(() => read('\n-NOPERM this user has no permissions\r\n', 5)).toThrow(/^NOPERM this user has no permissions$/)
  expect(() => read('+OK\r\n', 5)).toThrow('no snapshot: +OK')
  expect(() => read('x'.repeat(2000), 100)).toThrow('no snapshot')
})
