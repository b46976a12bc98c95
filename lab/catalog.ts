import { createHash } from 'node:crypto'

/** One market as the generator needs it; prices and volumes are whole numbers of ticks and lots. */
export interface Market {
  symbol: string
  enabled: boolean
  precisionPrice: number
  precisionQty: number
  /** The newest close, in ticks. */
  price: number
  /** Standard deviation of the logarithm of the price over one minute. */
  volatility: number
  /** Typical volume of one minute, in lots. */
  volume: number
}

/** One parameter of an indicator: it swings by `spread` around `centre`, both times the close if `ofPrice`. */
export interface Param {
  indicator: string
  param: string
  ofPrice: boolean
  centre: number
  spread: number
}

// Name, newest close, daily volatility in percent.
const tickers = `
  BTCUSDT 67312.45 2.1, ETHUSDT 3487.62 2.8, SOLUSDT 172.48 4.1, BNBUSDT 598.31 2.4, XRPUSDT 0.5231 3.2,
  ADAUSDT 0.4213 3.6, DOGEUSDT 0.12874 4.5, AVAXUSDT 35.72 4.2, DOTUSDT 6.847 3.7, LINKUSDT 14.236 3.9,
  TRXUSDT 0.11986 1.9, MATICUSDT 0.7142 4.0, LTCUSDT 83.47 3.1, BCHUSDT 462.18 3.8, SHIBUSDT 0.00002431 4.8,
  UNIUSDT 7.914 4.4, ATOMUSDT 8.372 3.5, XLMUSDT 0.1083 2.9, ETCUSDT 26.91 3.7, FILUSDT 5.863 4.1,
  APTUSDT 9.128 4.6, ARBUSDT 1.1473 4.7, OPUSDT 2.4816 4.9, NEARUSDT 7.312 4.8, INJUSDT 25.64 5.1,
  SUIUSDT 1.0928 5.3, SEIUSDT 0.5417 5.6, TIAUSDT 10.283 5.4, RNDRUSDT 10.147 5.2, IMXUSDT 2.2638 4.9,
  AAVEUSDT 89.74 4.0, GRTUSDT 0.2871 4.6, ALGOUSDT 0.1834 3.6, VETUSDT 0.03562 3.8, ICPUSDT 12.418 4.3,
  FTMUSDT 0.8236 5.5, SANDUSDT 0.4328 4.2, MANAUSDT 0.4417 4.1, AXSUSDT 7.263 4.3, THETAUSDT 2.2164 4.5,
  EGLDUSDT 40.83 3.9, XTZUSDT 0.9327 3.5, EOSUSDT 0.8114 3.4, FLOWUSDT 0.8926 3.9, CHZUSDT 0.13748 4.2,
  KAVAUSDT 0.6943 3.8, GALAUSDT 0.04472 4.9, PEPEUSDT 0.00001187 6.5, WIFUSDT 2.8413 7.8, JUPUSDT 1.0264 5.7`

const delisted = 'LUNAUSDT 0.6218 6.9, FTTUSDT 1.4837 6.2, WAVESUSDT 2.3716 5.8'

// A name ends up as a field of `indicator:<symbol>:<timeframe>`, so it carries the settings and is there only once.
const level = (centre: number, spread: number) => ({ ofPrice: false, centre, spread })
const price = (centre: number, spread: number) => ({ ofPrice: true, centre, spread })
const indicators: Record<string, Record<string, Pick<Param, 'ofPrice' | 'centre' | 'spread'>>> = {
  rsi: { rsi_7: level(50, 36), rsi_14: level(50, 28), rsi_21: level(50, 22), rsi_14_sma_9: level(50, 20) },
  ema: {
    ema_9: price(1, 0.002),
    ema_12: price(1, 0.003),
    ema_21: price(1, 0.005),
    ema_26: price(1, 0.006),
    ema_50: price(1, 0.011),
    ema_100: price(1, 0.019),
    ema_200: price(1, 0.034),
  },
  macd: {
    macd_12_26_9: price(0, 0.004),
    macd_12_26_9_signal: price(0, 0.003),
    macd_12_26_9_histogram: price(0, 0.001),
    macd_5_35_5: price(0, 0.006),
    macd_5_35_5_signal: price(0, 0.005),
    macd_5_35_5_histogram: price(0, 0.002),
  },
  bb: {
    bb_20_2_upper: price(1.018, 0.006),
    bb_20_2_middle: price(1, 0.004),
    bb_20_2_lower: price(0.982, 0.006),
    bb_20_2_width: level(0.036, 0.012),
    bb_20_2_percent: level(0.5, 0.55),
  },
  stoch: {
    stoch_14_3_3_k: level(50, 46),
    stoch_14_3_3_d: level(50, 41),
    stoch_21_5_5_k: level(50, 43),
    stoch_21_5_5_d: level(50, 38),
    stochrsi_14_k: level(50, 49),
    stochrsi_14_d: level(50, 45),
  },
  sma: {
    sma_5: price(1, 0.001),
    sma_7: price(1, 0.002),
    sma_10: price(1, 0.003),
    sma_20: price(1, 0.005),
    sma_30: price(1, 0.008),
    sma_50: price(1, 0.012),
    sma_100: price(1, 0.021),
    sma_200: price(1, 0.037),
  },
  adx: {
    adx_14: level(27, 14),
    adx_14_plus: level(22, 11),
    adx_14_minus: level(21, 11),
    adx_28: level(24, 10),
    adx_28_plus: level(21, 8),
    adx_28_minus: level(20, 8),
  },
  atr: { atr_7: price(0.011, 0.006), atr_14: price(0.01, 0.004), natr_7: level(1.1, 0.6), natr_14: level(1, 0.4) },
  ichimoku: {
    ichimoku_9_26_52_tenkan: price(1, 0.004),
    ichimoku_9_26_52_kijun: price(1, 0.008),
    ichimoku_9_26_52_senkou_a: price(1, 0.013),
    ichimoku_9_26_52_senkou_b: price(1, 0.017),
    ichimoku_9_26_52_chikou: price(1, 0.006),
  },
  donchian: {
    donchian_20_upper: price(1.021, 0.009),
    donchian_20_middle: price(1, 0.007),
    donchian_20_lower: price(0.979, 0.009),
  },
}

/** Every parameter of every indicator, in a fixed order. */
export const params: readonly Param[] = Object.entries(indicators).flatMap(([indicator, itsParams]) =>
  Object.entries(itsParams).map(([param, shape]) => ({ indicator, param, ...shape })),
)

/** The names of the indicators, in a fixed order; a symbol has each at most once a timeframe. */
export const indicatorNames: readonly string[] = Object.keys(indicators)

/** The markets asked for, by number (50 real names first, then SYM0051USDT and so on) or by name, and three disabled ones. */
export function listMarkets(symbols: number | readonly string[]): Market[] {
  const known = parse(tickers)
  const gone = parse(delisted)
  const wanted = typeof symbols === 'number' ? firstNames([...known.keys()], symbols) : [...symbols]
  const extra = [...gone.keys()].filter((symbol) => !wanted.includes(symbol))
  const describe = (symbol: string, enabled: boolean) => {
    const [close, daily] = known.get(symbol) ?? gone.get(symbol) ?? invent(symbol)
    return market(symbol, enabled, close, daily)
  }
  return [...wanted.map((symbol) => describe(symbol, true)), ...extra.map((symbol) => describe(symbol, false))]
}

function parse(list: string): Map<string, [close: number, daily: number]> {
  const entries = list.split(',').map((line) => line.trim().split(' '))
  return new Map(entries.map(([symbol = '', close, daily]) => [symbol, [Number(close), Number(daily)]]))
}

function firstNames(names: string[], count: number): string[] {
  return Array.from({ length: count }, (_, nth) => names[nth] ?? `SYM${String(nth + 1).padStart(4, '0')}USDT`)
}

function invent(symbol: string): [close: number, daily: number] {
  const hash = createHash('md5').update(symbol).digest()
  return [10 ** ((hash.readUInt32BE(0) / 2 ** 32) * 6 - 3), 3 + (hash.readUInt32BE(4) / 2 ** 32) * 4]
}

function market(symbol: string, enabled: boolean, close: number, daily: number): Market {
  const magnitude = Math.floor(Math.log10(close))
  const precisionPrice = Math.max(2, 3 - magnitude)
  const precisionQty = Math.max(0, magnitude + 1)
  return {
    symbol,
    enabled,
    precisionPrice,
    precisionQty,
    price: Math.round(close * 10 ** precisionPrice),
    volatility: daily / 100 / Math.sqrt(24 * 60),
    volume: (200_000 / close) * 10 ** precisionQty,
  }
}
