import { Redis } from 'ioredis'
import { Client, type QueryResultRow } from 'pg'
import { expect, inject } from 'vitest'
import { createMarket, type MarketOptions } from '../../lab/market.js'
import { type Config, configSchema } from '../../src/config/schema.js'
import { guardRedis } from '../../src/daemon/daemon.js'
import type { Cause } from '../../src/model.js'
import { installSql } from '../../src/postgres/triggers.js'
import type { LogEvent } from '../../src/report/events.js'
import { type Layout, type TestDatabase, until, useDatabase } from './servers.js'

export type EventOf<Name extends LogEvent['event']> = Extract<LogEvent, { event: Name }>

/** A daemon in this process, and the events that it has emitted. */
export interface RunningDaemon {
  readonly events: readonly LogEvent[]
  /** The first event of this name that `next` and `passOver` have not passed; waits for it, 20 s by default. */
  next<Name extends LogEvent['event']>(
    name: Name,
    match?: (event: EventOf<Name>) => boolean,
    timeout?: number,
  ): Promise<EventOf<Name>>
  /** Forgets everything so far. */
  passOver(): void
  /** All events of this name since `passOver`. */
  all<Name extends LogEvent['event']>(name: Name): EventOf<Name>[]
  stop(): void
}

/** Starts a daemon; it errors or completes never, so if it does, whoever waits for an event is told. */
export function startDaemon(config: Config): RunningDaemon {
  const events: LogEvent[] = []
  let passed = 0
  let skipped = 0
  let failure: unknown
  const subscription = guardRedis(config, (event) => events.push(event)).subscribe({
    error: (error: unknown) => {
      failure = error ?? new Error('the daemon errored')
    },
    complete: () => {
      failure = new Error('the daemon completed')
    },
  })
  return {
    events,
    next: async (name, match = () => true, timeout = 20_000) => {
      const isIt = (event: LogEvent) => event.event === name && match(event as EventOf<typeof name>)
      const found = await until(
        () => {
          if (failure) throw failure
          const at = events.findIndex((event, i) => i >= passed && isIt(event))
          return at < 0 ? undefined : { at }
        },
        { timeout, what: `event ${name}; the last: ${events.slice(-8).map((event) => JSON.stringify(event))}` },
      ).catch((error: Error) => {
        const last = events.slice(-8).map((event) => JSON.stringify(event))
        throw new Error(`no event ${name}: ${error.message}\n${last.join('\n')}`)
      })
      passed = found.at + 1
      return events[found.at] as EventOf<typeof name>
    },
    passOver: () => {
      passed = events.length
      skipped = passed
    },
    all: (name) => events.slice(skipped).filter((event): event is EventOf<typeof name> => event.event === name),
    stop: () => subscription.unsubscribe(),
  }
}

/** Timeframes as the market seeds them. */
const TIMEFRAMES = ['m1', 'm5', 'm15'] as const
/** The newest candles that the tests want in Redis; the market has more. */
export const LAST = 40

export interface ConfigOptions {
  layout?: Layout
  poll?: string
  scrub?: string
  storm?: string
  more?: object
}

/** The defaults, but for servers, layout and fewer candles; polls and scrubs that do not come to a test's aid unless it asks. */
export function testConfig(
  redisUrl: string,
  databaseUrl: string,
  { layout = 'sortedset', poll = '300ms', scrub = '10m', storm = '1m', more = {} }: ConfigOptions = {},
): Config {
  return configSchema.parse({
    redis: { url: redisUrl },
    postgres: { url: databaseUrl },
    candles: { layout, last: LAST },
    watch: { poll, scrub, storm },
    // Long enough for a test's own writes to both sides, and short enough to wait for.
    sync: { settle: '400ms' },
    ...more,
  })
}

/** A market that is small, but has more than the tests want in Redis. */
export const SMALL = { symbols: 3, candles: { m1: 60, m5: 60, m15: 60 }, instances: 6, history: 4 }

/** Gives the file or describe block a small market, with the triggers unless `triggers` is false. */
export function useMarket({ triggers = true, ...options }: Partial<MarketOptions> & { triggers?: boolean } = {}) {
  const database = useDatabase((url) => createMarket(url, { ...SMALL, ...options }))
  return {
    database,
    install: async () => {
      if (triggers) await database.query(installSql(testConfig('redis://127.0.0.1', database.url)))
    },
  }
}

/** What {@link expectWhole} reads PostgreSQL through. */
export type Queryable = Pick<TestDatabase, 'query'>

/** Queries over a connection each, so that it does not matter if the server is restarted between two of them. */
export function queryable(url: () => string): Queryable {
  return {
    query: async <Row extends QueryResultRow>(sql: string, values: unknown[] = []) => {
      const client = new Client({ connectionString: url() })
      await client.connect()
      try {
        return (await client.query<Row>(sql, values)).rows
      } finally {
        await client.end()
      }
    },
  }
}

/** Keys of one symbol in a market of `useMarket`, all timeframes. */
export function keysOf(symbol: string, layout: Layout): string[] {
  const columns = layout === 'sortedset' ? [''] : ['', ':open', ':high', ':low', ':volume']
  return TIMEFRAMES.flatMap((timeframe) => [
    ...columns.map((column) => `ohlcv:${symbol}:${timeframe}${column}`),
    `indicator:${symbol}:${timeframe}`,
  ])
}

interface CandleRow {
  symbol: string
  t: string
  open: string
  high: string
  low: string
  close: string
  volume: string
}

/**
 * Compares Redis with PostgreSQL, value by value, by a plain reading of its own: the newest candles and indicator values of every
 * enabled symbol are there, each symbol is marked ready, and the epoch stands.
 */
export async function expectWhole(redisUrl: string, database: Queryable, layout: Layout): Promise<void> {
  const redis = new Redis(redisUrl, { protocol: 2 })
  try {
    const symbols = (
      await database.query<{ symbol: string }>("SELECT symbol FROM tickers WHERE status = 'enabled'")
    ).map(({ symbol }) => symbol)
    for (const timeframe of TIMEFRAMES) await expectCandles(redis, database, layout, timeframe)
    await expectIndicators(redis, database)
    // Rows without a symbol stand for themselves, under the name of their dataset.
    const ready = (await redis.hkeys('rekindle:ready')).filter((name) => !name.startsWith('rows.'))
    expect(ready.sort()).toEqual(symbols.sort())
    expect(await redis.get('rekindle:epoch')).toBeTruthy()
  } finally {
    redis.disconnect()
  }
}

async function expectCandles(redis: Redis, database: Queryable, layout: Layout, timeframe: string): Promise<void> {
  const rows = await database.query<CandleRow>(
    `SELECT * FROM (
       SELECT symbol, (extract(epoch FROM open_time) * 1000)::bigint::text AS t, open, high, low, close, volume,
         row_number() OVER (PARTITION BY symbol ORDER BY open_time DESC) AS age
       FROM ohlcv4_${timeframe} JOIN tickers USING (symbol) WHERE status = 'enabled'
     ) AS candle WHERE age <= ${LAST} ORDER BY symbol, t::bigint`,
  )
  for (const symbol of new Set(rows.map((row) => row.symbol))) {
    const wanted = rows.filter((row) => row.symbol === symbol)
    const key = `ohlcv:${symbol}:${timeframe}`
    if (layout === 'sortedset') {
      const held = (await redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')) as string[]
      const members = new Map(held.flatMap((text, i) => (i % 2 === 0 ? [[String(held[i + 1]), text] as const] : [])))
      expect(members.size, `${key}: one member a time`).toBe(held.length / 2)
      for (const { t, open, high, low, close, volume } of wanted) {
        const numbers = { o: Number(open), h: Number(high), l: Number(low), c: Number(close), v: Number(volume) }
        expect(JSON.parse(members.get(t) ?? '{}'), `${key} at ${t}`).toEqual({ t: Number(t), ...numbers })
      }
      continue
    }
    for (const column of ['open', 'high', 'low', 'close', 'volume'] as const) {
      const series = column === 'close' ? key : `${key}:${column}`
      const held = new Map((await redis.call('TS.RANGE', series, '-', '+')) as [number, string][])
      const its = wanted.map((row): [number, number] => [Number(row.t), Number(row[column])])
      expect(
        its.map(([t]) => [t, Number(held.get(t))]),
        series,
      ).toEqual(its)
    }
  }
}

async function expectIndicators(redis: Redis, database: Queryable): Promise<void> {
  const rows = await database.query<{ key: string; param: string; value: number }>(
    `SELECT DISTINCT ON (i.symbol, i.timeframe, param_name)
       'indicator:' || i.symbol || ':' || i.timeframe AS key, param_name AS param, value
     FROM indicator_values_v4 AS v JOIN indicator_instances_v4 AS i ON i.id = v.instance_id
       JOIN tickers ON tickers.symbol = i.symbol
     WHERE i.enabled AND status = 'enabled'
     ORDER BY i.symbol, i.timeframe, param_name, open_time DESC`,
  )
  for (const key of new Set(rows.map((row) => row.key))) {
    const wanted = Object.fromEntries(rows.flatMap((row) => (row.key === key ? [[row.param, row.value]] : [])))
    const held = Object.entries(await redis.hgetall(key)).map(([field, value]) => [field, Number(value)])
    expect(Object.fromEntries(held), key).toEqual(wanted)
  }
}

/** The layout for suites that need only one: the one that the servers can do, time series if possible. */
export function anyLayout(): Layout {
  return inject('hasTimeSeries') ? 'timeseries' : 'sortedset'
}

/** Waits until Redis equals PostgreSQL, as {@link expectWhole} sees it. */
export async function untilWhole(...args: Parameters<typeof expectWhole>): Promise<void> {
  const isWhole = () =>
    expectWhole(...args).then(
      () => true,
      () => false,
    )
  // What differs is told by the comparison itself.
  await until(isWhole, { timeout: 15_000 }).catch(() => expectWhole(...args))
}

/** The alert and the end of one incident, which must be the only one. */
export async function oneIncident(
  daemon: RunningDaemon,
  cause: Cause,
): Promise<{ loss: EventOf<'data_loss'>; healed: EventOf<'healed'> }> {
  const loss = await daemon.next('data_loss')
  expect(loss).toMatchObject({ cause })
  const healed = await daemon.next('healed')
  expect(healed).toMatchObject({ cause, incident: loss.incident, supersedes: [] })
  expect(healed.time_to_heal_ms).toBeGreaterThanOrEqual(loss.time_to_detect_ms)
  return { loss, healed }
}
