import { Command, type Redis } from 'ioredis'

export type Reply = string | number | null | Reply[]

/** A reply that is an error, also as an element of an array reply (TS.MADD answers so). */
export function isErrorReply(reply: unknown): reply is Error {
  return reply instanceof Error
}

/** The RESP form of one argument; its length counts bytes, not characters. */
export function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`
}

/** The RESP form of a command, ready for {@link exchange}. */
export function encode(...args: readonly (string | number)[]): string {
  let text = `*${args.length}\r\n`
  for (const arg of args) text += bulk(String(arg))
  return text
}

/**
 * A command whose protocol text is ready-made: encoding 187,500 samples argument by argument is what a restore in Node would
 * spend most of its time on.
 */
class WireCommand extends Command {
  constructor(private readonly text: string) {
    super('rekindle', [], { replyEncoding: 'utf8' })
  }

  override toWritable(): string {
    return this.text
  }
}

/**
 * Sends ready-made commands in one go and returns their replies in order; an error reply is a value, so that one bad key does
 * not hide the others. Rejects only if the connection fails or does not answer in time.
 */
export async function exchange(redis: Redis, commands: readonly string[]): Promise<(Reply | Error)[]> {
  const replies = commands.map((text) =>
    (redis.sendCommand(new WireCommand(text)) as Promise<Reply>).catch((error: unknown) => {
      if (error instanceof Error && error.name === 'ReplyError') return error
      throw error
    }),
  )
  return Promise.all(replies)
}

/** Sends one command; an error reply rejects. */
export async function ask(redis: Redis, ...args: readonly (string | number)[]): Promise<Reply> {
  const [reply] = await exchange(redis, [encode(...args)])
  if (isErrorReply(reply)) throw reply
  return reply ?? null
}
