import type { Command, Wire } from '../redis/wire.js'
import type { Payload } from './payloads.js'

/** What became of one key: the reason where it failed. */
export type Fate = 'copied' | 'kept' | Error

/** Writes keys, or only looks whether it would; rejects with the error of a server that takes none. */
export type Write = (target: Wire, payloads: readonly Payload[]) => Promise<Fate[]>

/** The way in which keys are to be written. */
export function writer({ replace, dryRun }: { readonly replace: boolean; readonly dryRun: boolean }): Write {
  if (!dryRun) return put(replace)
  return replace ? async (_, payloads) => payloads.map(() => 'copied') : look
}

function put(replace: boolean): Write {
  return async (target, payloads) => {
    const replies = await target.exchange(payloads.map((payload) => restore(payload, replace)))
    return replies.map((reply) => {
      if (!(reply instanceof Error)) return 'copied'
      if (reply.message.startsWith('BUSYKEY')) return 'kept'
      // The type of a module that the live Redis lacks; another key may well be taken.
      if (/Bad data format/i.test(reply.message)) return reply
      throw reply
    })
  }
}

const look: Write = async (target, payloads) => {
  const replies = await target.exchange(payloads.map(({ key }) => exists(key)))
  return replies.map((reply) => {
    if (reply instanceof Error) throw reply
    return reply === 1 ? 'kept' : 'copied'
  })
}

/** RESTORE, ready to be sent: key and payload may be any bytes. */
function restore({ key, expiresAt, payload }: Payload, replace: boolean): Command {
  const isMoment = expiresAt > 0
  const [count, time] = [4 + (replace ? 1 : 0) + (isMoment ? 1 : 0), String(expiresAt)]
  return Buffer.concat([
    Buffer.from(`*${count}\r\n$7\r\nRESTORE\r\n$${key.length}\r\n`),
    key,
    Buffer.from(`\r\n$${time.length}\r\n${time}\r\n$${payload.length}\r\n`),
    payload,
    END,
    ...(replace ? [REPLACE] : []),
    ...(isMoment ? [ABSTTL] : []),
  ])
}

/** EXISTS, ready to be sent. */
export function exists(key: Buffer): Command {
  return Buffer.concat([Buffer.from(`*2\r\n$6\r\nEXISTS\r\n$${key.length}\r\n`), key, END])
}

const END = Buffer.from('\r\n')
const REPLACE = Buffer.from('$7\r\nREPLACE\r\n')
const ABSTTL = Buffer.from('$6\r\nABSTTL\r\n')
