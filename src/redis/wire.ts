import type { Redis } from 'ioredis'
import RedisParser from 'redis-parser'

export type Reply = string | number | null | Reply[]

/** How long replies may take before the connection counts as dead, in ms. */
const REPLY_LIMIT = 10_000

/** Commands that were sent together, until their last reply is in. */
interface Exchange {
  readonly replies: (Reply | Error)[]
  readonly expected: number
  readonly resolve: (replies: (Reply | Error)[]) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

/**
 * Speaks RESP2 over a connection that ioredis has opened: ready-made commands out, replies through redis-parser back.
 *
 * A restore is 187,500 acknowledgements in 750 commands. ioredis opens, authenticates and watches the connection; but an object, a
 * timer and a promise a command, and its decoder, would cost more time than Redis itself needs. So the socket is ours once it is open.
 */
export class Wire {
  private readonly waiting: Exchange[] = []
  private readonly ended: Promise<void>
  private failure: Error | undefined

  constructor(
    private readonly redis: Redis,
    private readonly replyLimit = REPLY_LIMIT,
  ) {
    const parser = new RedisParser({
      returnReply: (reply: Reply) => this.take(reply),
      returnError: (error) => this.take(error),
      returnFatalError: (error) => this.fail(error),
    })
    redis.stream.removeAllListeners('data')
    redis.stream.on('data', (data: Buffer) => parser.execute(data))
    // It may have closed between the handshake and now; then no event will tell.
    this.ended = redis.status === 'ready' ? new Promise((resolve) => redis.once('close', resolve)) : Promise.resolve()
    void this.ended.then(() => this.fail(new Error('the connection was closed')))
  }

  /** The number of the database that the URL selects. */
  get database(): number {
    return this.redis.options.db ?? 0
  }

  /** Resolves when the connection has closed, for whatever reason. */
  get closed(): Promise<void> {
    return this.ended
  }

  /** Closes at once: a server that does not answer would otherwise keep the socket half open for seconds. */
  close(): void {
    this.redis.disconnect()
    this.redis.stream.destroy()
  }

  /**
   * Sends ready-made commands in one go and resolves with their replies, in order; an error reply is a value, so that one bad key
   * does not hide the others. Rejects only if the connection fails or does not answer in time.
   */
  exchange(commands: readonly Command[]): Promise<(Reply | Error)[]> {
    if (commands.length === 0) return Promise.resolve([])
    if (this.failure) return Promise.reject(this.failure)
    return new Promise((resolve, reject) => {
      const late = (): void => this.fail(new Error(`no reply within ${this.replyLimit} ms: timed out`))
      const timer = setTimeout(late, this.replyLimit)
      this.waiting.push({ replies: [], expected: commands.length, resolve, reject, timer })
      const { stream } = this.redis
      stream.cork()
      for (const command of commands) stream.write(command)
      stream.uncork()
    })
  }

  private take(reply: Reply | Error): void {
    const exchange = this.waiting[0]
    if (!exchange) {
      this.fail(new Error('a reply without a command'))
      return
    }
    exchange.replies.push(reply)
    if (exchange.replies.length < exchange.expected) return
    this.waiting.shift()
    clearTimeout(exchange.timer)
    exchange.resolve(exchange.replies)
  }

  private fail(error: Error): void {
    this.failure ??= error
    for (const { reject, timer } of this.waiting.splice(0)) {
      clearTimeout(timer)
      reject(this.failure)
    }
    if (this.redis.status !== 'end') this.close()
  }
}

/** A reply that is an error, also as an element of an array reply (TS.MADD answers so). */
export function isErrorReply(reply: unknown): reply is Error {
  return reply instanceof Error
}

/** A command in RESP, ready to be sent. */
export type Command = Buffer

/** Encodes a command, ready for {@link Wire.exchange}; a length in RESP counts bytes, not characters. */
export function encode(...args: readonly (string | number)[]): Command {
  let text = `*${args.length}\r\n`
  for (const arg of args) {
    const argument = String(arg)
    text += `$${Buffer.byteLength(argument)}\r\n${argument}\r\n`
  }
  return Buffer.from(text)
}

/** Sends commands in one go; see {@link Wire.exchange}. */
export function exchange(wire: Wire, commands: readonly Command[]): Promise<(Reply | Error)[]> {
  return wire.exchange(commands)
}

/** Sends one command; an error reply rejects. */
export async function ask(wire: Wire, ...args: readonly (string | number)[]): Promise<Reply> {
  const [reply] = await wire.exchange([encode(...args)])
  if (isErrorReply(reply)) throw reply
  return reply ?? null
}
