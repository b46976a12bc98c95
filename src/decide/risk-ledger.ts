import type { Risk } from '../model.js'

/** What changed with a look. */
export interface RiskNews {
  readonly appeared: Risk[]
  /** Findings that are over, and how long they stood, in ms. */
  readonly gone: { readonly code: string; readonly after_ms: number }[]
}

interface Entry {
  risk: Risk
  /** Looks in a row that saw it, or that did not. */
  seen: number
  absent: number
  since: number
  /** The severity with which it was told; undefined as long as it was not. */
  told: Risk['severity'] | undefined
}

/** Looks in a row after which a finding counts, and after which it is over: a moment is no news. */
const APPEARS = 2
const GOES = 3

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
      entry.seen = 0
      entry.absent++
      if (entry.told && entry.absent < GOES) continue
      this.entries.delete(code)
      if (entry.told) gone.push({ code, after_ms: at - entry.since })
    }
    return { appeared, gone }
  }

  /** True if this finding is news now. */
  private see(risk: Risk, at: number): boolean {
    const entry = this.entries.get(risk.code) ?? { risk, seen: 0, absent: 0, since: at, told: undefined }
    this.entries.set(risk.code, entry)
    const isWorse = entry.risk.severity === 'note' && risk.severity === 'risk'
    entry.seen = isWorse ? 1 : entry.seen + 1
    entry.absent = 0
    entry.risk = risk
    const isKnown = entry.told === 'risk' || entry.told === risk.severity
    if (isKnown || entry.seen < APPEARS) return false
    entry.told = risk.severity
    return true
  }
}
