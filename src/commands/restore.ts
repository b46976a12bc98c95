import { steadyTime } from '../clock.js'
import type { Config } from '../config/schema.js'
import { lanesOf, lanesWith } from '../decide/lanes.js'
import { makeTask } from '../decide/tasks.js'
import { Trouble } from '../errors.js'
import { type Answer, namedTroubles, tell } from './answer.js'
import { sayDuration } from './patience.js'
import { count, number } from './progress.js'
import { Restoration } from './restoration.js'
import { overLives, withSession } from './session.js'
import { awaitSymbols, chooseSymbols } from './symbols.js'

export interface RestoreOptions {
  /** The symbols to restore; all if empty. */
  readonly symbols: readonly string[]
  /** How long nothing may get done before it gives up, in ms. */
  readonly timeout: number
}

/** Makes Redis whole, once. Rejects with a ConfigError or Trouble where it cannot even begin. */
export function restore(config: Config, { symbols, timeout }: RestoreOptions): Promise<Answer> {
  return withSession(config, timeout, async (session) => {
    const startedAt = steadyTime()
    const enabled = await awaitSymbols(session)
    const lanes = lanesOf(session.datasets, enabled)
    const chosen = new Set(chooseSymbols([...lanes.keys()], symbols))
    const tasks = session.datasets.flatMap(({ name }) =>
      lanesWith(lanes, name).flatMap((symbol) =>
        chosen.has(symbol) ? [makeTask(symbol, name, 'loss', startedAt)] : [],
      ),
    )
    const restoration = new Restoration(session, { enabled, tasks, whole: [] })
    let end: Trouble | undefined
    try {
      await overLives(session, (life, signal) => restoration.run(life, signal))
    } catch (error) {
      if (!(error instanceof Trouble)) throw error
      end = error
    }
    return report(restoration, end, steadyTime() - startedAt)
  })
}

function report(restoration: Restoration, end: Trouble | undefined, took: number): Answer {
  const { tally, written, failures, symbols, leftOut, keysWhole } = restoration
  const { samples, fields, superseded } = tally
  const failed = [...failures].map(([dataset, trouble]) => ({ dataset, ...tell(trouble) }))
  return {
    // Where nothing could be done, the troubles tell why.
    lines: written.size + keysWhole > 0 || (!end && failures.size === 0) ? [sentence(restoration, took)] : [],
    data: {
      symbols: symbols.total,
      symbols_whole: symbols.whole,
      keys_written: written.size,
      keys_whole: keysWhole,
      samples,
      fields,
      left_out: leftOut,
      superseded,
      took_ms: took,
      ...(failed.length > 0 && { failed }),
    },
    troubles: [...(end ? [end] : []), ...namedTroubles(failures)],
  }
}

/** What was done, for a person. */
function sentence({ tally, written, keysWhole, symbols, leftOut }: Restoration, took: number): string {
  const values = [
    ...(tally.samples > 0 ? [count(tally.samples, 'sample')] : []),
    ...(tally.fields > 0 ? [count(tally.fields, 'field')] : []),
  ].join(', ')
  const state = sayWhole(symbols)
  const act =
    written.size > 0
      ? `Restored ${count(written.size, 'key')} (${values}) in ${sayDuration(took)}: ${state}.`
      : `${symbols.whole < symbols.total ? 'Wrote nothing' : 'Nothing had to be written'}: ${state}.`
  return [
    act,
    ...(keysWhole > 0 ? [`${count(keysWhole, 'key')} stood whole already.`] : []),
    ...(tally.superseded > 0 ? [`${count(tally.superseded, 'value')} left to a live writer.`] : []),
    ...(leftOut > 0 ? [`${count(leftOut, 'value')} left out that Redis cannot hold (NULL, NaN, infinity).`] : []),
  ].join(' ')
}

function sayWhole({ total, whole }: Restoration['symbols']): string {
  if (total === 1) return whole === 1 ? 'the symbol is whole' : 'the symbol is not whole'
  return whole < total ? `${number(whole)} of ${number(total)} symbols are whole` : `${number(total)} symbols are whole`
}
