import type { RequestListener } from 'node:http'
import { steadyTime } from '../clock.js'
import type { Emit } from '../report/events.js'
import { readAddress } from './address.js'
import type { ListenTrouble } from './listen-trouble.js'
import { Listening } from './listening.js'

/** Listens where it is told to. One address takes the place of another once it can be used: until then the earlier one stays. */
export class Door {
  private current: Listening | undefined
  /** Where it listened before, and goes on to until `current` is open. */
  private former: Listening | undefined
  private listen: string | false = false
  /** Since when there is trouble, and what was last said of it. */
  private trouble: { readonly since: number; said: string | undefined } | undefined

  constructor(
    /** Answers requests at this address. */
    private readonly handlerAt: (listen: string) => RequestListener,
    private readonly emit: Emit,
  ) {}

  /** Listens there from now on, or as soon as it can be; false: nowhere. */
  follow(listen: string | false): void {
    if (listen === this.listen) return
    this.listen = listen
    this.setAside()
    if (listen !== false && this.former?.listen === listen) {
      this.current = this.former
      this.former = undefined
      this.worked()
    } else if (listen !== false) {
      // What is wrong with another address is news.
      if (this.trouble) this.trouble.said = undefined
      this.current = this.open(listen)
    } else {
      void this.letGo()
      this.worked()
    }
  }

  /** Stops listening and hangs up on everyone. */
  async close(): Promise<void> {
    await Promise.all([this.current?.close(), this.letGo()])
  }

  /** What cannot be used yet is given up; what can be goes on for now. */
  private setAside(): void {
    const { current } = this
    this.current = undefined
    if (current?.isOpen) {
      void this.letGo()
      this.former = current
    } else void current?.close()
  }

  private open(listen: string): Listening {
    return new Listening(listen, this.handlerAt(listen), {
      opened: () => {
        void this.letGo()
        this.worked()
      },
      failed: (trouble) => this.failed(trouble),
      makeRoom: async () => {
        if (!this.former || !shareAPort(this.former.listen, listen)) return false
        await this.letGo()
        return true
      },
    })
  }

  private async letGo(): Promise<void> {
    const { former } = this
    this.former = undefined
    await former?.close()
  }

  private failed({ code, reason, hint }: ListenTrouble): void {
    this.trouble ??= { since: steadyTime(), said: undefined }
    if (this.trouble.said === code) return
    this.trouble.said = code
    const meanwhile = this.former
      ? `status page, health and metrics stay at ${this.former.listen} until then`
      : 'there is no status page, health and metrics until then'
    const since_ms = steadyTime() - this.trouble.since
    this.emit({ event: 'degraded', what: 'http', code, reason, hint: `${hint}; ${meanwhile}`, since_ms })
  }

  private worked(): void {
    const { trouble } = this
    this.trouble = undefined
    if (trouble) this.emit({ event: 'recovered', what: 'http', after_ms: steadyTime() - trouble.since })
  }
}

/** True if one of them may be in the other's way, as 127.0.0.1:9808 is in that of 0.0.0.0:9808. */
function shareAPort(one: string, other: string): boolean {
  const [a, b] = [readAddress(one), readAddress(other)]
  return 'port' in a && 'port' in b && a.port === b.port
}
