/** A flush in an append-only file: cut at `offset` of the file number `file`, it ends in the moment before. */
export interface Cut {
  readonly file: number
  readonly offset: number
}

/** An append-only file, with the flushes that are in it. */
export interface AofSource {
  readonly kind: 'aof'
  /** When its newest flush was noticed, in epoch ms. */
  readonly flushedAt: number | undefined
  readonly files: readonly {
    readonly inode: number
    /** Oldest first; `at` where the file tells times. */
    readonly flushes: readonly { readonly offset: number; readonly at: number | undefined }[]
  }[]
}

/** A snapshot that is older than a flush, as far as we know. */
export interface SnapshotSource {
  readonly kind: 'rdb'
  readonly flushedAt: number | undefined
}

/** A moment before a flush, and what it can be rebuilt from. */
export interface Moment<Source extends AofSource | SnapshotSource> {
  readonly source: Source
  /** Of an append-only file. */
  readonly cut: Cut | undefined
  /** When the flush was, in epoch ms; undefined where nothing tells. */
  readonly flushedAt: number | undefined
}

/**
 * The moments that can be rebuilt, newest first, each flush once: files that were linked aside are the same files. `sources` come
 * newest first.
 */
export function momentsBefore<Source extends AofSource | SnapshotSource>(sources: readonly Source[]): Moment<Source>[] {
  const all = sources.flatMap(momentsOf)
  const seen = new Set<string>()
  return all.flatMap(({ id, ...moment }) => {
    if (id === undefined) return [moment]
    if (seen.has(id)) return []
    seen.add(id)
    // Another name of the same file may tell when it was.
    const flushedAt = all.find((other) => other.id === id && other.flushedAt !== undefined)?.flushedAt
    return [{ ...moment, flushedAt }]
  })
}

/** Newest first; `id` tells which flush it is, whatever the name of the file. */
function momentsOf<Source extends AofSource | SnapshotSource>(source: Source): (Moment<Source> & { id?: string })[] {
  const { flushedAt } = source
  if (source.kind === 'rdb') return [{ source, cut: undefined, flushedAt }]
  const moments = source.files
    .flatMap(({ inode, flushes }, file) =>
      flushes.map(({ offset, at }) => ({ id: `${inode}:${offset}`, source, cut: { file, offset }, flushedAt: at })),
    )
    .reverse()
  return moments.map((moment, i) => (i === 0 ? { ...moment, flushedAt: moment.flushedAt ?? flushedAt } : moment))
}
