import type { Change } from '../../src/decide/announcement.js'
import { type WalOptions, watchWal } from '../../src/detect/wal.js'
import type { Decoding } from '../../src/detect/wal-decoding.js'
import type { Trouble } from '../../src/errors.js'
import { until } from '../support/until.js'

/** The tables of rows that the suites about the WAL have beside a market. */
export const TABLES = `
  CREATE TABLE plans (user_id int PRIMARY KEY, plan text);
  CREATE TABLE quotas (symbol text, day int, quota int, PRIMARY KEY (symbol, day)) PARTITION BY RANGE (day);
  CREATE TABLE quotas_1 PARTITION OF quotas FOR VALUES FROM (0) TO (10);
  CREATE TABLE loose (user_id int, plan text);
  CREATE TABLE other (id int PRIMARY KEY, body text)`

export const ROWS = {
  plans: { table: 'plans', key: 'plan:{user_id}' },
  quotas: { table: 'quotas', key: 'quota:{symbol}:{day}', symbol: 'symbol' },
}

/** A session that reads the WAL, and what it has told. */
export interface Reader {
  readonly changes: Change[]
  readonly errors: Trouble[]
  slot(): string | undefined
  /** How it is read, once it is. */
  decoding(): Decoding | undefined
  isListening(): boolean
  /** Waits for a change of the dataset; the keys of all of its changes so far, `all` among them. */
  keys(dataset: string, isEnough?: (keys: unknown[]) => boolean): Promise<unknown[]>
  close(): void
}

export function readWal(options: WalOptions): Reader {
  const changes: Change[] = []
  const errors: Trouble[] = []
  let isListening = false
  let opened: { slot: string; decoding: Decoding } | undefined
  const subscription = watchWal({
    ...options,
    onSlot: (slot, decoding) => {
      opened = { slot, decoding }
    },
  }).subscribe({
    next: (heard) => {
      if (heard.kind === 'listening') isListening = true
      if (heard.kind === 'change') changes.push(heard.change)
    },
    error: (error: Trouble) => errors.push(error),
  })
  const keys = (dataset: string) =>
    changes.flatMap((change): unknown[] => {
      if (change.dataset !== dataset) return []
      return change.keys === 'all' ? ['all'] : change.keys.map(({ symbol, part }) => [symbol, part])
    })
  return {
    changes,
    errors,
    slot: () => opened?.slot,
    decoding: () => opened?.decoding,
    isListening: () => isListening,
    keys: async (dataset, isEnough = (found) => found.length > 0) => {
      await until(() => isEnough(keys(dataset)), {
        what: `changes of ${dataset}, not ${JSON.stringify(changes)}, ${errors[0]?.message}`,
      })
      return keys(dataset)
    },
    close: () => subscription.unsubscribe(),
  }
}
