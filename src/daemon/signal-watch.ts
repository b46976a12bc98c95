import { catchError, concatMap, defer, EMPTY, filter, type Observable, repeat, throttleTime, timer } from 'rxjs'
import { steadyTime } from '../clock.js'
import { type SignalName, silentSignals } from '../decide/signal-health.js'
import { suspect } from '../decide/suspicion.js'
import { proveSignals } from '../detect/signal-proof.js'
import { settingsReader } from '../detect/signal-settings.js'
import type { Suspicion } from '../model.js'
import type { Life } from '../redis/life.js'
import { endsLife, redisTrouble } from '../redis/trouble.js'
import type { LifeContext } from './life-context.js'
import { type KindContext, lostSignal, refusedSignal, type SignalKind, signalKinds } from './signal-kinds.js'

/** After how many polls the signals are proved: that costs a few writes. */
const POLLS = 30

type Silent = Partial<Record<SignalName, string>>

/**
 * Sees to it that what Redis was asked to announce still comes: its settings are read with every poll, and now and then a write of our
 * own must be announced. What has stopped is asked for anew, and told; since much may have been missed, all is looked at. Errors if
 * Redis stops answering.
 */
export function watchSignalHealth(
  life: Life,
  context: KindContext & Pick<LifeContext, 'conditions'>,
): Observable<Suspicion> {
  const { poll } = context.config.watch
  const health = new SignalHealth(life, context)
  let round = 0
  return defer(() => health.look(round++ % POLLS === 0)).pipe(
    catchError((error: unknown) => {
      const trouble = redisTrouble(error, context.server)
      if (endsLife(trouble)) throw trouble
      // The poll meets the same, and tells of it.
      return EMPTY
    }),
    repeat({ delay: () => timer(poll) }),
    filter((silentSince) => silentSince !== undefined),
    // Two that set the same thing by turns must not keep us looking.
    throttleTime(POLLS * poll, undefined, { leading: true, trailing: true }),
    concatMap((since) => [suspect('poll', 'all', since, steadyTime())]),
  )
}

class SignalHealth {
  private readonly kinds: readonly SignalKind[]
  private readonly readSettings: ReturnType<typeof settingsReader>
  /** When nothing spoke against any of them. */
  private soundAt = steadyTime()

  constructor(
    private readonly life: Life,
    private readonly context: KindContext & Pick<LifeContext, 'conditions'>,
  ) {
    this.kinds = signalKinds(life, context)
    this.readSettings = settingsReader(life)
  }

  /** Looks once, and mends. Since when something may have been missed, where that is over now. */
  async look(isProof: boolean): Promise<number | undefined> {
    const { conditions } = this.context
    const at = steadyTime()
    const silent = await this.silent(isProof)
    const asked: SignalKind[] = []
    for (const kind of this.kinds) {
      const isDown = conditions.isDown(kind.name)
      // What was refused is asked for again only now and then: each refusal is an entry in the server's log.
      const isDue = isDown ? isProof : silent[kind.name] !== undefined
      if (isDue && (await this.enable(kind))) asked.push(kind)
    }
    if (asked.length > 0) return this.verify(asked, silent)
    if (!this.kinds.some(({ name }) => conditions.isDown(name))) this.soundAt = at
    return undefined
  }

  private async silent(isProof: boolean): Promise<Silent> {
    const settings = await this.readSettings()
    const proof = isProof ? await proveSignals(this.life, this.context.server) : undefined
    return silentSignals(settings, proof)
  }

  /** False where it is refused. */
  private async enable(kind: SignalKind): Promise<boolean> {
    const { conditions, server } = this.context
    try {
      await kind.enable()
      return true
    } catch (error) {
      const trouble = refusedSignal(kind, error, server)
      if (endsLife(trouble)) throw trouble
      kind.disabled()
      if (!conditions.isDown(kind.name)) conditions.failed(kind.name, trouble)
      return false
    }
  }

  /** Looks whether what was asked for anew comes, and says how it was and how it is. */
  private async verify(asked: readonly SignalKind[], before: Silent): Promise<number | undefined> {
    const { conditions, server } = this.context
    const after = await this.silent(true)
    let since: number | undefined
    for (const kind of asked) {
      const { name } = kind
      const reason = after[name] ?? before[name]
      if (reason !== undefined && !conditions.isDown(name)) conditions.failed(name, lostSignal(kind, reason, server))
      if (after[name] !== undefined) kind.disabled()
      else if (conditions.worked(name) > 0 || before[name] !== undefined) since = this.soundAt
    }
    return since
  }
}
