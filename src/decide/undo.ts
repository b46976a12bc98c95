/** A flush in an append-only file: cut at `offset` of the file number `file`, it ends in the moment before. */
export interface Cut {
  readonly file: number
  readonly offset: number
}

/** A flush was heard of `at`, in epoch ms, when the last part of the append-only file, by its inode, was so long. */
export interface Noticed {
  readonly at: number
  readonly inode: number
  readonly bytes: number
}

/** An append-only file, with the flushes that are in it. */
export interface AofSource {
  readonly kind: 'aof'
  /** When flushes were noticed, oldest first. */
  readonly noticed: readonly Noticed[]
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
  if (source.kind === 'rdb') return [{ source, cut: undefined, flushedAt: source.flushedAt }]
  const { files, noticed } = source
  const moments = files
    .flatMap(({ inode, flushes }, file) =>
      flushes.map(({ offset, at }) => ({ id: `${inode}:${offset}`, source, cut: { file, offset }, flushedAt: at })),
    )
    .reverse()
  const times = new Map<string, number>()
  for (const { at, inode, bytes } of noticed) {
    const last = files.findIndex((file) => file.inode === inode)
    // What was written since is younger; of the older ones, it is the newest that was heard of, and the first word of it counts.
    const heard = moments.find(({ cut: { file, offset } }) => file < last || (file === last && offset < bytes))
    if (heard && !times.has(heard.id)) times.set(heard.id, at)
  }
  return moments.map((moment) => ({ ...moment, flushedAt: moment.flushedAt ?? times.get(moment.id) }))
}
