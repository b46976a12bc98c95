import { describe, expect, it } from 'vitest'
import type { LogEvent } from '../../src/report/events.js'
import { explain } from '../../src/report/evidence.js'
import { addLatency, quantile, SPAN, SPANS, type Span } from '../../src/report/latencies.js'
import { note } from '../../src/report/note.js'
import { readinessOf, readinessOfSymbol } from '../../src/report/readiness.js'
import { boardOf, event, symbols, WHOLE } from '../serve/scenes.js'

const NAMES = ['ADA', 'BTC', 'ETH']

describe('the board', () => {
  it('is ready only once everything was seen whole in this life of Redis', () => {
    const codes: string[] = []
    const board = boardOf([])
    for (const each of [...WHOLE, event('redis_down'), event('redis_up'), event('watching')]) {
      note(board, each, 1)
      codes.push(readinessOf(board).code)
    }
    const starting = Array(5).fill('starting')
    expect(codes).toEqual([...starting, 'ready', 'redis_down', 'starting', 'ready'])
  })

  it('is not ready from a loss until it is healed', () => {
    const board = boardOf([...WHOLE, event('data_loss')])
    expect(readinessOf(board)).toMatchObject({
      ready: false,
      code: 'data_loss',
      reason: expect.stringMatching(/flush.*0 of 3/),
    })
    for (const each of symbols('symbol_lost', NAMES)) note(board, each, 2)
    for (const symbol of NAMES.slice(0, 2)) {
      note(board, { event: 'symbol_healed', incident: 1, symbol }, 3)
      note(board, { event: 'symbol_ready', symbol }, 3)
    }
    expect(readinessOf(board).reason).toContain('2 of 3 symbols are back')
    expect(readinessOfSymbol(board, 'ADA').ready).toBe(true)
    expect(readinessOfSymbol(board, 'ETH')).toMatchObject({ ready: false, code: 'healing' })
    note(board, { event: 'symbol_ready', symbol: 'ETH' }, 4)
    note(board, event('healed'), 5)
    expect(readinessOf(board).ready).toBe(true)
    expect(board.incidents).toMatchObject([{ symbolsBack: 3, keysIncomplete: 2, healed: { at: 5, healMs: 312 } }])
  })

  it('names a symbol that is not whole though there was no loss', () => {
    const board = boardOf([...WHOLE, ...symbols('symbol_lost', ['BTC'])])
    expect(readinessOf(board)).toMatchObject({ ready: false, code: 'healing', reason: '1 symbol is not whole' })
    expect(readinessOfSymbol(board, 'ETH').ready).toBe(true)
  })

  it('trusts no symbol of an earlier life', () => {
    const board = boardOf([...WHOLE, event('redis_down')])
    expect(readinessOfSymbol(board, 'BTC').code).toBe('redis_down')
    note(board, event('redis_up'), 2)
    expect(readinessOfSymbol(board, 'BTC')).toMatchObject({ ready: false, code: 'healing' })
    note(board, event('watching'), 3)
    expect(readinessOfSymbol(board, 'BTC').ready).toBe(true)
  })

  it('knows which symbols there are', () => {
    const board = boardOf([...WHOLE, { event: 'symbols', total: 3, added: ['NEW'], removed: ['ADA'] }])
    expect(readinessOfSymbol(board, 'ADA')).toMatchObject({ ready: false, code: 'unknown_symbol' })
    expect(readinessOfSymbol(board, 'NEW')).toMatchObject({ ready: false, code: 'healing' })
    expect(readinessOfSymbol(boardOf(WHOLE.slice(0, 2)), 'BTC').code).toBe('starting')
  })

  it('is not ready while symbols that came are not whole, of which an event names the first few only', () => {
    const added = Array.from({ length: 80 }, (_, i) => `NEW${i}`)
    const board = boardOf([...WHOLE, { event: 'symbols', total: 83, added: added.slice(0, 10), removed: [] }])
    expect(readinessOf(board)).toMatchObject({ ready: false, reason: '10 symbols are not whole' })
    for (const each of symbols('symbol_lost', added)) note(board, each, 2)
    expect(readinessOf(board)).toMatchObject({ ready: false, reason: '80 symbols are not whole' })
    expect(readinessOfSymbol(board, 'NEW0').code).toBe('healing')
    expect(readinessOfSymbol(board, 'NEW79').code).toBe('healing')
    expect(readinessOfSymbol(board, 'BTC').ready).toBe(true)
    for (const each of symbols('symbol_ready', added.slice(0, 79))) note(board, each, 3)
    expect(readinessOf(board)).toMatchObject({ ready: false, reason: '1 symbol is not whole' })
    note(board, { event: 'symbol_ready', symbol: 'NEW79' }, 4)
    expect(readinessOf(board)).toMatchObject({ ready: true, reason: 'all 83 symbols are whole' })
    expect(board.symbols.size).toBe(83)
  })

  it('forgets symbols that are gone, of which an event names the first few only', () => {
    const names = Array.from({ length: 40 }, (_, i) => `S${i}`)
    const board = boardOf([event('redis_up'), ...symbols('symbol_ready', names), event('watching', { symbols: 40 })])
    const gone = names.slice(0, 25)
    note(board, { event: 'symbols', total: 18, added: ['A', 'B', 'C'], removed: gone.slice(0, 10) }, 2)
    for (const each of symbols('symbol_lost', [...gone, 'S30'])) note(board, each, 3)
    expect(readinessOf(board)).toMatchObject({ ready: false, code: 'healing' })
    for (const each of symbols('symbol_ready', ['A', 'B', 'S30'])) note(board, each, 4)
    expect(readinessOf(board).ready).toBe(false)
    note(board, { event: 'symbol_ready', symbol: 'C' }, 5)
    expect(readinessOf(board)).toMatchObject({ ready: true, reason: 'all 18 symbols are whole' })
    expect(board.symbols.size).toBe(18)
    expect(readinessOfSymbol(board, 'S24').code).toBe('unknown_symbol')
  })

  it('knows how many keys there are, when they were last counted', () => {
    const board = boardOf(WHOLE)
    expect(board.keys).toBe(54)
    const classes = [
      { match: 'candles:*', recovery: 'postgres' as const, keys: 50 },
      { match: 'cfg:*', recovery: 'backup' as const, keys: 7 },
      { match: null, recovery: null, keys: 9 },
      { match: 'ind:*', recovery: 'postgres' as const, keys: 22 },
    ]
    const counted: LogEvent = { event: 'counted', keys: 88, exact: true, classes, whole: true }
    note(board, counted, 2)
    expect(board.keys).toBe(72)
    for (const change of [{ exact: false }, { whole: false }]) note(board, { ...counted, classes: [], ...change }, 3)
    expect(board.keys).toBe(72)
    note(board, { event: 'symbols', total: 4, added: ['NEW'], removed: [] }, 4)
    expect(board.keys).toBeUndefined()
  })

  it('says that PostgreSQL is down while it waits for it', () => {
    const trouble = { code: 'postgres_unreachable', reason: 'nobody answers', hint: 'h' }
    const down: LogEvent = { event: 'postgres_down', ...trouble, down_for_ms: 0 }
    for (const board of [boardOf([event('starting'), down]), boardOf([event('starting'), event('redis_up'), down])]) {
      const wanted = { ready: false, code: 'starting', reason: 'PostgreSQL is down: nobody answers' }
      expect(readinessOf(board)).toEqual(wanted)
      expect(readinessOfSymbol(board, 'BTC')).toEqual(wanted)
    }
  })

  it('names symbols that came or went, and does not count what it holds the first few of', () => {
    const added = Array.from({ length: 10 }, (_, i) => `NEW${i}`)
    const board = boardOf([...WHOLE, { event: 'symbols', total: 83, added, removed: ['ADA'] }])
    expect(board.journal.at(-1)?.text).toBe('83 symbols are enabled; new: NEW0, NEW1, NEW2, …; gone: ADA')
  })

  it('stays ready while PostgreSQL is away, and is not while it stops', () => {
    const down: LogEvent = { event: 'postgres_down', code: 'c', reason: 'r', hint: 'h', down_for_ms: 10 }
    const board = boardOf([...WHOLE, down], 100)
    expect(board.postgres).toMatchObject({ state: 'down', at: 90 })
    expect(readinessOf(board).ready).toBe(true)
    note(board, { event: 'stopping', signal: 'SIGTERM' }, 101)
    expect(readinessOf(board)).toMatchObject({ ready: false, code: 'stopping' })
  })

  it('closes earlier losses with the one that took them over, and interrupted ones once everything is whole', () => {
    const board = boardOf([...WHOLE, event('data_loss'), event('data_loss', { incident: 2, cause: 'restart' })], 10)
    note(board, event('healed', { incident: 2, supersedes: [1] }), 500)
    expect(board.incidents.map(({ healed }) => healed?.healMs)).toEqual([494, 312])
    note(board, event('data_loss', { incident: 3 }), 600)
    // The daemon began anew in the middle, and its numbers with it.
    note(board, event('redis_up'), 700)
    note(board, event('data_loss', { incident: 1 }), 710)
    note(board, event('healed', { incident: 1 }), 800)
    expect(board.incidents.map(({ healed }) => healed?.at)).toEqual([500, 500, undefined, 800])
    note(board, event('watching'), 801)
    expect(board.incidents[2]?.healed?.at).toBe(801)
    expect(readinessOf(board).ready).toBe(true)
  })

  it('keeps what is degraded, at risk and kept aside until it is over', () => {
    const degraded: LogEvent = { event: 'degraded', what: 'listener', code: 'c', reason: 'r', hint: 'h', since_ms: 30 }
    const board = boardOf([degraded, event('persistence_risk'), event('backup_failed')], 100)
    expect(board.degraded.get('listener')).toMatchObject({ since: 70 })
    expect(board.backups.failure).toMatchObject({ stage: 'take', code: 'no_space' })
    note(board, { event: 'recovered', what: 'listener', after_ms: 40 }, 110)
    note(board, { event: 'persistence_ok', finding: 'aof_off', after_ms: 40 }, 110)
    note(board, { event: 'drill', file: 'f', keys: 3, took_ms: 9, taken_at: '2026-11-20T02:00:00Z' }, 120)
    expect([board.degraded.size, board.risks.size]).toEqual([0, 0])
    expect(board.backups).toMatchObject({ provedAt: 120, proofOk: true, failure: { stage: 'take' } })
  })

  it('takes no more memory whatever comes', () => {
    const board = boardOf(WHOLE)
    const long = 'x'.repeat(100_000)
    for (let i = 0; i < 60_000; i++) note(board, { event: 'symbol_ready', symbol: `S${i}` }, i)
    for (let i = 0; i < 2_000; i++) {
      note(
        board,
        event('data_loss', { incident: i, symbols: Array(500).fill(long), evidence: { key_events: { [long]: 1 } } }),
        i,
      )
      note(board, { event: 'degraded', what: `rows.${i}`, code: 'c', reason: long, hint: long, since_ms: 0 }, i)
      note(board, event('persistence_risk', { finding: `f${i}`, reason: long }), i)
      note(board, { event: 'symbol_lost', symbol: `${long}${i}` }, i)
      note(board, event('sync'), i * SPAN)
      note(board, { event: 'gap', reason: long, deaf_for_ms: 1 }, i)
    }
    const held = JSON.stringify(board, (_, value: unknown) => (value instanceof Map ? [...value] : value))
    expect(held.length).toBeLessThan(8_000_000)
    expect(board.incidents).toHaveLength(50)
    expect(board.symbols.size).toBe(50_000)
    expect(board.latencies.length).toBeLessThanOrEqual(SPANS)
  })
})

describe('latencies', () => {
  it('tells medians and slow ones as far as its bounds go', () => {
    const spans: Span[] = []
    for (let i = 1; i <= 1_000; i++) addLatency(spans, 5_000, i <= 990 ? 4 : 250)
    expect(quantile(spans, 0.5)).toBeGreaterThan(3)
    expect(quantile(spans, 0.5)).toBeLessThanOrEqual(5)
    expect(quantile(spans, 0.999)).toBeGreaterThan(200)
    expect(quantile(spans, 1)).toBe(250)
    expect(quantile([], 0.5)).toBeUndefined()
  })

  it('does without a clock that is set back, or latencies without end', () => {
    const spans: Span[] = []
    for (const [at, ms] of [
      [100_000, 5],
      [20_000, -3],
      [100_001, 9e9],
    ] as const)
      addLatency(spans, at, ms)
    expect(spans.map(({ at, count }) => [at, count])).toEqual([[100_000, 3]])
    expect(quantile(spans, 1)).toBe(9e9)
  })
})

describe('evidence', () => {
  it('becomes sentences', () => {
    const { evidence } = event('data_loss')
    expect(explain(evidence)).toEqual([
      'FLUSHALL was called once',
      'most likely by cron, user default, at 10.0.0.7:5123',
    ])
    expect(
      explain({ evicted_keys: 41, maxmemory: 1_048_576, used_memory: 1_048_576, maxmemory_policy: 'allkeys-lru' }),
    ).toEqual(['41 keys were evicted', 'memory is at 1 of 1 MB, allkeys-lru'])
    expect(explain({ key_events: { del: 3 }, uptime_s: 0, unsaved_changes_before: 1_200, first_look: true })).toEqual([
      'keys were announced as gone: del 3',
      'it was the first look since Rekindle started',
      'Redis had been up for 0 s',
      '1,200 changes had not been saved',
    ])
  })

  it('says nothing of what is unknown or of another shape', () => {
    expect(explain({})).toEqual([])
    expect(
      explain({ client: 'x', key_events: 7, uptime_s: null, evicted_keys: Number.NaN, flushall_calls: '9' }),
    ).toEqual([])
  })
})
