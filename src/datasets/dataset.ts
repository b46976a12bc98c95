import type { Change } from '../decide/announcement.js'
import type { Trouble } from '../errors.js'
import type { Lack, Tally, Writers } from '../model.js'
import type { Database } from '../postgres/database.js'
import type { Wire } from '../redis/wire.js'

/** What PostgreSQL says one Redis key must hold. */
export interface Wanted {
  readonly symbol: string
  readonly key: string
  /** The moment at which the key is to expire, in epoch ms; absent: never. From then on nobody misses it. */
  readonly expires?: number
}

export interface Reading<W extends Wanted> {
  readonly wanted: readonly W[]
  /** Values, by symbol, that PostgreSQL holds but Redis cannot: NULL, NaN, infinity, times before 1970. */
  readonly leftOut: ReadonlyMap<string, number>
  /** Keys of the parts asked for that nothing wants any more; they are left alone, and not missed when they go. */
  readonly unwanted?: readonly string[]
  /** What is wrong with some of the data, which therefore is not wanted at all; the rest is fine. */
  readonly defect?: Trouble
}

/** What a look at Redis found about one wanted key; a dataset adds what it needs in order to write. */
export interface Finding<W extends Wanted> {
  readonly wanted: W
  /** Undefined when the key is whole. */
  readonly lack: Lack | undefined
  /** Values Redis holds within the key that PostgreSQL does not know; reported, never removed by a heal. */
  readonly orphans: readonly string[]
  /** Values that differ, by their position in the key (a time, a field): what Redis holds and what is wanted, as one text. */
  readonly differing?: ReadonlyMap<string, string>
  /** The position that a live worker may be writing again and again: the newest candle. */
  readonly forming?: string
}

/** Whether what a finding saw at one position may be replaced by what is wanted. */
export type MayReplace = (finding: Finding<Wanted>, position: string) => boolean

export interface ReadOptions {
  /** Read the whole history, and rely on nothing that was announced. */
  readonly thorough: boolean
  /** Only these parts of what the dataset has for the symbols (its timeframes, its rows), or all; it may read more. */
  readonly parts: ReadonlySet<string> | undefined
  /** Asks Redis for its time, in epoch ms: what has expired by then is not wanted. Absent: it is read, and found expired by the look. */
  readonly time?: () => Promise<number>
  /** True if a change was announced, so that whatever else is committed meanwhile will be announced and read as well. */
  readonly following?: boolean
}

/** What a dataset is told whose reads are cheaper where every change of its rows is announced. */
export interface Announced {
  /**
   * From now on every change is announced, and `proof` resolves to true if what was committed before it was called has been heard, with
   * no gap since; undefined: not any more.
   */
  renew(proof: (() => Promise<boolean>) | undefined): void
  /** Told of each change as it is heard, before any read that it leads to. */
  hear(keys: Change['keys']): void
}

/** Of what PostgreSQL wants of a symbol, or of a part of it; another text means that it wants something else. */
export interface Fingerprint {
  readonly symbol: string
  readonly part?: string
  readonly fingerprint: string
}

/** How changes are found where no trigger announces them. */
export interface Polling {
  /** Of these symbols if it is `bySymbol`, else of whatever there is. */
  fingerprints(db: Database, symbols: readonly string[]): Promise<readonly Fingerprint[]>
  /** True if it must be told the enabled symbols. */
  readonly bySymbol?: boolean
  /** The same of what changes most, for far less: for the time between two whole looks, where those take long. */
  glance?(db: Database, symbols: readonly string[]): Promise<readonly Fingerprint[]>
}

/**
 * A kind of data: where PostgreSQL keeps it, which keys hold it in Redis, how the two are compared and how the difference is
 * written. Reading, comparing and writing are apart, so that survey, verify and heal are the same three steps, taken as far as needed.
 */
export interface Dataset<W extends Wanted = Wanted, F extends Finding<W> = Finding<W>> {
  /** For example `candles.m1`. */
  readonly name: string
  /** The templates of all its keys; what is in braces stands for a value. */
  readonly keys: readonly string[]
  /** The lane of its own, by the dataset's name, for one that knows no symbols; the others go with every enabled symbol. */
  readonly lane?: string
  /** Lower ranks are healed first. */
  readonly rank: number
  readonly writers: Writers
  /** Absent where only the scrub finds changes that nobody announces. */
  readonly polling?: Polling
  /** Absent where reads are the same, whether changes are announced or not. */
  readonly announced?: Announced
  /** Key events that any write to a key of this kind sends, and that therefore mean no loss. */
  readonly ordinaryEvents?: readonly string[]
  /** True if what is wanted goes and takes its keys along, so that a key that is gone may be one that nothing wants any more. */
  readonly comesAndGoes?: boolean
  /** Keys in Redis that look like those of this dataset and are not wanted; absent where that cannot be told cheaply. */
  strays?(redis: Wire, isWanted: (key: string) => boolean): Promise<string[]>
  read(db: Database, symbols: readonly string[], options: ReadOptions): Promise<Reading<W>>
  /** Looks at Redis: by digest where that is enough, value by value if `thorough`. Never writes. */
  compare(redis: Wire, wanted: readonly W[], thorough: boolean): Promise<F[]>
  /**
   * Writes what the findings lack. The newest candle and the fields that are missing are filled in only where they are still missing;
   * what differs is replaced only where `mayReplace`, and only where Redis still holds what the finding saw: a live writer is never
   * overwritten unseen.
   * Rejects on any error reply.
   */
  write(redis: Wire, findings: readonly F[], mayReplace: MayReplace): Promise<Tally>
}
