import type { Risk } from '../model.js'

/** What changed with a look. */
export interface RiskNews {
  readonly appeared: Risk[]
  /** Findings that are over, and how long they stood, in ms. */
  readonly gone: { readonly code: string; readonly after_ms: number }[]
}

type Severity = Risk['severity']

interface Entry {
  /** As what the last looks saw it, newest first; undefined for one that did not. */
  seen: readonly (Severity | undefined)[]
  since: number
  /** The severity with which it was told; undefined as long as it was not. */
  told: Severity | undefined
}

/** How many of the last looks must have seen a finding before it counts; it is over when none of them has: a moment is no news. */
const APPEARS = 2
const LOOKS = 3

/** Keeps account of findings from look to look, so that each is told once when it comes and once when it goes. */
export class RiskLedger {
  private readonly entries = new Map<string, Entry>()

  /** Codes of the findings that were told and are not over. */
  get standing(): ReadonlySet<string> {
    return new Set([...this.entries].flatMap(([code, { told }]) => (told ? [code] : [])))
  }

  /** Takes what a look at `at`, in epoch ms, has found. A note that has become a risk appears again. */
  look(risks: readonly Risk[], at: number): RiskNews {
    const found = new Map(risks.map((risk) => [risk.code, risk]))
    const appeared = [...found.values()].filter((risk) => this.see(risk, at))
    const gone: RiskNews['gone'] = []
    for (const [code, entry] of this.entries) {
      if (found.has(code)) continue
      entry.seen = [undefined, ...entry.seen].slice(0, LOOKS)
      if (entry.seen.some(Boolean)) continue
      this.entries.delete(code)
      if (entry.told) gone.push({ code, after_ms: at - entry.since })
    }
    return { appeared, gone }
  }

  /** True if this finding is news now. */
  private see({ code, severity }: Risk, at: number): boolean {
    const entry: Entry = this.entries.get(code) ?? { seen: [], since: at, told: undefined }
    this.entries.set(code, entry)
    entry.seen = [severity, ...entry.seen].slice(0, LOOKS)
    const times = entry.seen.filter((each) => each === 'risk' || each === severity).length
    const isKnown = entry.told === 'risk' || entry.told === severity
    if (isKnown || times < APPEARS) return false
    entry.told = severity
    return true
  }
}
