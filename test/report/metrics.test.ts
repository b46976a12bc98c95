import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { blankBoard } from '../../src/report/board.js'
import type { LogEvent } from '../../src/report/events.js'
import { openMetrics } from '../../src/report/metrics.js'
import { PARTS } from '../../src/report/metrics-state.js'
import { note } from '../../src/report/note.js'
import { hasPromtool, WITHOUT_PROMTOOL } from '../deploy/promtool.js'
import { event, WHOLE } from '../serve/scenes.js'

async function counted(
  events: readonly LogEvent[],
  at = 50_000,
): Promise<{ text: string; value(series: string): number | undefined }> {
  const board = blankBoard('1.2.3', at)
  const metrics = openMetrics(board)
  for (const each of events) {
    note(board, each, at)
    metrics.observe(each)
  }
  const text = await metrics.text()
  const samples = new Map(
    text.split('\n').map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  )
  return { text, value: (series) => samples.get(`rekindle_${series}`) }
}

/** Where a part is named that works with less, or works again. */
const SAID =
  /(?:conditions\.(?:failed|worked)\(|(?<![.\w])(?:tell|patiently|enable)\(|event: '(?:degraded|recovered)',\s*what:|name:(?=\s*'\w+',\s+(?:async )?enable))\s*'([a-z_]+)'/g

describe('metrics', () => {
  it('tell how the slot stands, as long as there is one', async () => {
    const opened = event('wal_opened')
    const told = event('wal_slot')
    expect((await counted(WHOLE)).text).not.toMatch(/^rekindle_wal_/m)
    const { value } = await counted([...WHOLE, opened, told])
    expect(value('wal_up')).toBe(1)
    expect(value('wal_lag_bytes')).toBe(120)
    expect(value('wal_held_bytes')).toBe(4_096)
    expect(value('wal_opened_timestamp_seconds')).toBe(50)
    const { text } = await counted([...WHOLE, opened, told, event('wal_closed')])
    expect(text.match(/^rekindle_wal_.*$/gm)).toEqual(['rekindle_wal_up 0'])
  })

  it('count losses, what it took to heal them, and what reached Redis', async () => {
    const { value } = await counted([...WHOLE, event('data_loss'), event('healed'), event('sync'), event('surveyed')])
    expect(value('losses_total{cause="flush"}')).toBe(1)
    expect(value('losses_total{cause="restart"}')).toBe(0)
    expect(value('lost_keys_total')).toBe(54)
    expect(value('time_to_detect_seconds_sum')).toBeCloseTo(0.004)
    expect(value('time_to_heal_seconds_bucket{le="0.5"}')).toBe(1)
    expect(value('time_to_heal_seconds_bucket{le="0.25"}')).toBe(0)
    expect(value('written_samples_total{why="loss"}')).toBe(1_350)
    expect(value('written_samples_total{why="sync"}')).toBe(5)
    expect(value('syncs_total{dataset="candles"}')).toBe(1)
    expect(value('survey_duration_seconds_count{scope="all"}')).toBe(1)
    expect(value('last_sync_timestamp_seconds')).toBe(50)
  })

  it('tell within what time changes are found, of each kind the longest', async () => {
    const table = (dataset: string, found_by: 'triggers' | 'poll', within_ms: number) =>
      ({ dataset, key: 'k', table: 't', found_by, within_ms }) as const
    const tables = [
      table('candles.m1', 'triggers', 10),
      table('candles.m5', 'poll', 3_000),
      table('symbols', 'poll', 1_000),
    ]
    const { value, text } = await counted([...WHOLE, { event: 'change_sources', tables }])
    expect(value('changes_found_within_seconds{dataset="candles",found_by="poll"}')).toBe(3)
    expect(value('changes_found_within_seconds{dataset="symbols",found_by="poll"}')).toBe(1)
    expect(text.match(/^rekindle_changes_found_within_seconds/gm)).toHaveLength(2)
  })

  it('tell how things stand, and nothing of what is not known', async () => {
    const blank = await counted([])
    for (const name of [
      'redis_up',
      'postgres_up',
      'listener_up',
      'symbols',
      'symbols_not_ready',
      'backups',
      'backup_last_proof_ok',
      'last_sync_timestamp_seconds',
    ]) {
      expect(blank.value(name), name).toBeUndefined()
    }
    expect(blank.value('ready')).toBe(0)
    const { value } = await counted([
      ...WHOLE,
      event('persistence_risk'),
      event('persistence_risk', { finding: 'A "b"\n' }),
    ])
    expect(value('ready')).toBe(1)
    expect(value('redis_up')).toBe(1)
    expect(value('symbols')).toBe(3)
    expect(value('symbols_not_ready')).toBe(0)
    expect(value('persistence_finding{code="aof_off",severity="risk"}')).toBe(1)
    expect(value('persistence_finding{code="other",severity="risk"}')).toBe(1)
    expect(value('build_info{version="1.2.3"}')).toBe(1)
  })

  it('say nothing of symbols that are not whole before all were looked at, but of each that is known', async () => {
    const looking = await counted(WHOLE.slice(0, 3))
    expect(looking.value('symbols_not_ready')).toBeUndefined()
    const again = await counted([...WHOLE, event('redis_up')])
    expect(again.value('symbols_not_ready')).toBe(3)
  })

  it('tell all parts apart that may be degraded', async () => {
    const src = fileURLToPath(new URL('../../src', import.meta.url))
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
    const named = files.flatMap((name) => {
      const code = readFileSync(`${src}/${name}`, 'utf8')
      return [...code.matchAll(SAID)].map(([, name = '']) => name)
    })
    expect(named).toEqual(
      expect.arrayContaining(['second_daemon', 'rewrites', 'inventory', 'risks', 'tracking', 'http']),
    )
    const servers = ['redis', 'postgres']
    expect([...new Set(named)].filter((name) => !servers.includes(name) && !PARTS.includes(name))).toEqual([])
  })

  it('forget what is over', async () => {
    const over: LogEvent = { event: 'persistence_ok', finding: 'aof_off', after_ms: 1 }
    const { value } = await counted([...WHOLE, event('persistence_risk'), over, event('redis_down')])
    expect(value('persistence_finding{code="aof_off",severity="risk"}')).toBeUndefined()
    expect(value('redis_up')).toBe(0)
    expect(value('ready')).toBe(0)
  })

  it('have no more series whatever names come', async () => {
    const flood = Array.from({ length: 500 }, (_, i): LogEvent[] => [
      { event: 'symbol_lost', symbol: `S${i}` },
      event('sync', { symbol: `S${i}`, dataset: `d${i}.x`, latency_ms: -5 }),
      event('data_loss', { cause: `cause${i}` as 'flush', incident: i }),
      { event: 'degraded', what: `rows.r${i}`, code: `c${i}`, reason: 'r', hint: 'h', since_ms: 0 },
      { event: 'degraded', what: 'indicators in part', code: 'c', reason: 'r', hint: 'h', since_ms: 0 },
      { event: 'degraded', what: `thing${i}`, code: `c${i}`, reason: 'r', hint: 'h', since_ms: 0 },
    ]).flat()
    const { text, value } = await counted([...WHOLE, ...flood])
    expect(text.split('\n').filter((line) => line.startsWith('rekindle_')).length).toBeLessThan(220)
    expect(text).not.toMatch(/S\d|cause\d|\br\d/)
    expect(value('losses_total{cause="other"}')).toBe(500)
    expect(value('degraded{what="rows"}')).toBe(1)
    expect(value('degraded{what="indicators"}')).toBe(1)
    expect(value('degraded{what="other"}')).toBe(1)
  })

  it('follow the conventions: a help text each, counters and only they end in _total, base units', async () => {
    const { text } = await counted(WHOLE)
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
    expect(types.length).toBeGreaterThan(40)
    for (const [, name = '', type] of types) {
      expect(text, name).toMatch(new RegExp(`^# HELP ${name} \\S`, 'm'))
      expect(name.endsWith('_total'), name).toBe(type === 'counter')
      expect(name).toMatch(/^(rekindle|process|nodejs)_[a-z][a-z\d_]*$/)
      expect(name).not.toMatch(/_(ms|milliseconds|minutes|hours|kb|mb|percent)(_|$)/)
    }
  })

  it.skipIf(!hasPromtool)(`pass promtool check metrics${WITHOUT_PROMTOOL}`, async () => {
    const { text } = await counted([
      ...WHOLE,
      event('data_loss'),
      event('healed'),
      event('sync'),
      event('persistence_risk'),
    ])
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
  })
})
