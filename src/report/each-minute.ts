/** How long things are gathered before the next line, in ms. */
const MINUTE = 60_000

/** Passes the first thing on at once and gathers what follows into one call a minute: for what others can send us any number of. */
export class EachMinute<T> {
  private gathered: T[] = []
  private count = 0
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly say: (things: readonly T[], count: number) => void,
    /** How many things are kept to be shown; the rest are only counted. */
    private readonly keep = 100,
  ) {}

  add(thing: T): void {
    this.count++
    if (this.gathered.length < this.keep) this.gathered.push(thing)
    if (!this.timer) this.flush()
  }

  private flush(): void {
    this.timer = undefined
    if (this.count === 0) return
    const { gathered, count } = this
    this.gathered = []
    this.count = 0
    this.timer = setTimeout(() => this.flush(), MINUTE)
    this.timer.unref()
    this.say(gathered, count)
  }
}
