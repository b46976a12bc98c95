import { isErrorReply, type Reply } from '../redis/wire.js'

/** The error that a script answers in place of a value that somebody has changed since we looked. */
export const SUPERSEDED = 'SUPERSEDED by a live writer'

interface Reading {
  /** How many values a number stands for; one unless said otherwise. */
  readonly valuesIn?: (reply: number) => number
  /** Errors that say that a live writer was faster with a value. */
  readonly superseded?: RegExp
  /** Errors that take nothing away. */
  readonly harmless?: RegExp
}

/** Counts the values that replies say were written; rejects on the first other error, also inside arrays, as TS.MADD answers. */
export function countWritten(
  replies: readonly (Reply | Error)[],
  { valuesIn = () => 1, superseded: faster = new RegExp(SUPERSEDED), harmless }: Reading = {},
): { written: number; superseded: number } {
  let written = 0
  let superseded = 0
  for (const reply of replies) {
    for (const element of (Array.isArray(reply) ? reply : [reply]) as (Reply | Error)[]) {
      if (typeof element === 'number') written += valuesIn(element)
      else if (isErrorReply(element)) {
        if (faster.test(element.message)) superseded++
        else if (!harmless?.test(element.message)) throw element
      }
    }
  }
  return { written, superseded }
}
