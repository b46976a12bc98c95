/** What became of the keys that an incident lost. */
export interface Fates {
  /** Keys that were gone, each counted once however often it was lost. */
  readonly lost: number
  /** Those that stand again. */
  readonly back: number
  /** Those whose moment of expiry came before they were back. */
  readonly expired: number
  /** Those that PostgreSQL no longer wants, by dataset. */
  readonly unwanted: Readonly<Record<string, number>>
  /** The first few names of these. */
  readonly unwantedKeys: readonly string[]
}

/** How many names of unwanted keys are spelled out. */
const NAMES = 5

/** Knows of each key that an incident lost whether it came back. Bounded by the keys that are known. */
export class KeyFates {
  private readonly gone = new Set<string>()
  private readonly back = new Set<string>()
  private readonly expired = new Set<string>()
  /** Key -> its dataset. */
  private readonly unwanted = new Map<string, string>()

  /** A key is gone, for the first time or again. */
  lose(key: string): void {
    this.gone.add(key)
    this.back.delete(key)
    this.expired.delete(key)
    this.unwanted.delete(key)
  }

  /** Of a key that was gone it is known what became of it; others are none of its business. */
  settle(key: string, dataset: string, fate: 'back' | 'expired' | 'unwanted'): void {
    if (!this.gone.delete(key)) return
    if (fate === 'back') this.back.add(key)
    else if (fate === 'expired') this.expired.add(key)
    else this.unwanted.set(key, dataset)
  }

  /** Takes over what another knows. */
  adopt(other: KeyFates): void {
    for (const key of other.gone) this.gone.add(key)
    for (const key of other.back) if (!this.gone.has(key)) this.back.add(key)
    for (const key of other.expired) if (!this.gone.has(key)) this.expired.add(key)
    for (const [key, dataset] of other.unwanted) if (!this.gone.has(key)) this.unwanted.set(key, dataset)
  }

  /** As far as is known by now. */
  get counts(): Fates {
    const { gone, back, expired } = this
    const unwanted: Record<string, number> = {}
    for (const dataset of this.unwanted.values()) unwanted[dataset] = (unwanted[dataset] ?? 0) + 1
    return {
      lost: gone.size + back.size + expired.size + this.unwanted.size,
      back: back.size,
      expired: expired.size,
      unwanted,
      unwantedKeys: [...this.unwanted.keys()].slice(0, NAMES),
    }
  }
}
