import { expect, test } from 'vitest'
import { type AofSource, momentsBefore, type SnapshotSource } from '../../src/decide/undo.js'

type Flushes = { offset: number; at: number | undefined }[]
const at = (offset: number, time?: number) => ({ offset, at: time })
const aof = (flushedAt: number | undefined, ...files: [inode: number, flushes: Flushes][]): AofSource => ({
  kind: 'aof',
  noticed: flushedAt === undefined ? [] : [{ at: flushedAt, inode: files.at(-1)?.[0] ?? 0, bytes: 100 }],
  files: files.map(([inode, flushes]) => ({ inode, flushes })),
})
const snapshot = (flushedAt: number): SnapshotSource => ({ kind: 'rdb', flushedAt })
const told = (sources: (AofSource | SnapshotSource)[]) =>
  momentsBefore(sources).map(({ cut, flushedAt }) => [cut?.file, cut?.offset, flushedAt])

test('the newest flush comes first, across the files of one append-only file', () => {
  expect(told([aof(undefined, [1, []], [2, [at(10), at(20)]], [3, [at(5)]])])).toEqual([
    [2, 5, undefined],
    [1, 20, undefined],
    [1, 10, undefined],
  ])
})

test('the same file under two names counts once, and what one name tells of its time holds for both', () => {
  const live = aof(undefined, [1, []], [2, [at(10)]])
  const frozen = aof(1_000, [1, []], [2, [at(10)]])
  expect(told([live, frozen])).toEqual([[1, 10, 1_000]])
})

test('what Redis itself noted of the time counts more than when it was noticed, which is of the newest flush only', () => {
  expect(told([aof(2_000, [1, [at(10), at(20, 1_500), at(30)]])])).toEqual([
    [0, 30, 2_000],
    [0, 20, 1_500],
    [0, 10, undefined],
  ])
  expect(told([aof(2_000, [1, [at(10, 1_900)]])])).toEqual([[0, 10, 1_900]])
})

test('what was noticed dates the newest flush before the end that the file had then, not one that came later', () => {
  const noticed = (...all: [at: number, inode: number, bytes: number][]): AofSource['noticed'] =>
    all.map(([at, inode, bytes]) => ({ at, inode, bytes }))
  const files = [
    { inode: 1, flushes: [at(10), at(20)] },
    { inode: 2, flushes: [at(10), at(30)] },
  ]
  const times = (...all: Parameters<typeof noticed>) =>
    momentsBefore([{ kind: 'aof', files, noticed: noticed(...all) }]).map(({ flushedAt }) => flushedAt)
  expect(times([1_000, 2, 25])).toEqual([undefined, 1_000, undefined, undefined])
  // The last file was still empty; a second word of the same flush; and one that was heard of later.
  expect(times([1_000, 2, 0], [1_050, 2, 0], [2_000, 2, 40])).toEqual([2_000, undefined, 1_000, undefined])
  expect(times([1_000, 9, 50])).toEqual([undefined, undefined, undefined, undefined])
})

test('a snapshot is one moment, in its place; a file without a flush is none', () => {
  expect(told([aof(undefined, [1, []]), aof(3_000, [2, [at(7)]]), snapshot(2_000), aof(1_000, [3, [at(8)]])])).toEqual([
    [0, 7, 3_000],
    [undefined, undefined, 2_000],
    [0, 8, 1_000],
  ])
  expect(told([])).toEqual([])
})
