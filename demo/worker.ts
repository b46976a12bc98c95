import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { insertCandle } from '../lab/worker.js'
import type { Layout } from './options.js'

interface Ticker {
  symbol: string
  precisionPrice: number
  precisionQty: number
  price: number
  /** What the newest candle closed at. */
  closed: number
  /** Open time of the newest candle of one minute, in ms. */
  openTime: number
}

const MINUTE = 60_000
/** Between two rounds of prices, in ms. */
const PERIOD = 50
/** Every symbol closes a candle once in so many rounds; the market runs faster than the clock. */
const ROUNDS = 100

const tickersSql = `
  SELECT symbol, precision_price AS "precisionPrice", precision_qty AS "precisionQty", close::float8 AS price,
    close::float8 AS closed, (date_part('epoch', open_time) * 1000)::float8 AS "openTime"
  FROM tickers, LATERAL (
    SELECT open_time, close FROM ohlcv4_m1 WHERE symbol = tickers.symbol ORDER BY open_time DESC LIMIT 1
  ) AS newest
  WHERE status = 'enabled' ORDER BY id`

/** A trading system at work: it writes prices to Redis, and every closed candle to PostgreSQL and to Redis, whatever happens there. */
export class Worker {
  /** Prices written. */
  prices = 0
  /** Candles written. */
  candles = 0
  /** Writes that were refused or not answered. */
  refused = 0
  readonly #redis: Redis
  readonly #pool: Pool
  readonly #layout: Layout
  #running: AbortController | undefined
  #ended: Promise<void> = Promise.resolve()
  #tickers: Ticker[] = []

  constructor(redisUrl: string, databaseUrl: string, layout: Layout) {
    this.#redis = new Redis(redisUrl, {
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => 20,
    })
    this.#redis.on('error', () => {})
    this.#pool = new Pool({ connectionString: databaseUrl, max: 1 })
    this.#pool.on('error', () => {})
    this.#layout = layout
  }

  async start(): Promise<void> {
    this.#tickers = (await this.#pool.query<Ticker>(tickersSql)).rows
    this.#running = new AbortController()
    this.#ended = this.#work(this.#running.signal)
  }

  /** Resolves when the last write has been answered. */
  async pause(): Promise<void> {
    this.#running?.abort()
    await this.#ended
  }

  async stop(): Promise<void> {
    await this.pause()
    this.#redis.disconnect()
    await this.#pool.end()
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (let round = 0; !signal.aborted; round++) {
      await this.#writePrices()
      const closing = this.#tickers[round % Math.max(ROUNDS, this.#tickers.length)]
      if (closing) await this.#closeCandle(closing)
      await delay(PERIOD, undefined, { signal }).catch(() => {})
    }
  }

  async #writePrices(): Promise<void> {
    const pairs = this.#tickers.flatMap((ticker) => {
      ticker.price = move(ticker)
      return [`price:${ticker.symbol}`, priceText(ticker, ticker.price)]
    })
    if (await this.#isTaken(() => this.#redis.mset(...pairs))) this.prices += this.#tickers.length
  }

  async #closeCandle(ticker: Ticker): Promise<void> {
    const candle = nextCandle(ticker)
    const { openTime, open, high, low, close, volume } = candle
    const [key, time] = [`ohlcv:${ticker.symbol}:m1`, openTime.getTime()]
    const taken = await this.#isTaken(async () => {
      await insertCandle(this.#pool, { ...candle, timeframe: 'm1' })
      if (this.#layout === 'sortedset') {
        const member = `{"t":${time},"o":${open},"h":${high},"l":${low},"c":${close},"v":${volume}}`
        return this.#redis.zadd(key, time, member)
      }
      const series = { '': close, ':open': open, ':high': high, ':low': low, ':volume': volume }
      return Promise.all(
        Object.entries(series).map(([column, value]) => this.#redis.call('TS.ADD', key + column, time, value)),
      )
    })
    if (taken) this.candles++
  }

  /** Whether the servers took it; a worker goes on either way. */
  async #isTaken(write: () => Promise<unknown>): Promise<boolean> {
    try {
      await write()
      return true
    } catch {
      this.refused++
      return false
    }
  }
}

function nextCandle(ticker: Ticker) {
  const { symbol, precisionQty, price, closed } = ticker
  const volume = (10 ** (5 - precisionQty) * (1 + Math.random())).toFixed(precisionQty)
  ticker.openTime += MINUTE
  ticker.closed = price
  return {
    symbol,
    openTime: new Date(ticker.openTime),
    open: priceText(ticker, closed),
    high: priceText(ticker, Math.max(closed, price)),
    low: priceText(ticker, Math.min(closed, price)),
    close: priceText(ticker, price),
    volume,
  }
}

/** The next step of a price's walk: at most two ten-thousandths. */
function move({ price }: Ticker): number {
  return price * (1 + (Math.random() - 0.5) * 4e-4)
}

function priceText({ precisionPrice }: Ticker, price: number): string {
  return Math.max(price, 10 ** -precisionPrice).toFixed(precisionPrice)
}
