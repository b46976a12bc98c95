import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { blankBoard } from '../../src/report/board.js'
import { openMetrics } from '../../src/report/metrics.js'
import { hasPromtool, WITHOUT_PROMTOOL } from './promtool.js'

const folder = new URL('../../deploy/', import.meta.url)
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8')

interface Panel {
  type: string
  title: string
  datasource?: { uid: string }
  gridPos: { x: number; y: number; w: number; h: number }
  targets?: { expr: string; datasource: { uid: string } }[]
}

interface Dashboard {
  uid: string
  title: string
  schemaVersion: number
  panels: Panel[]
  templating: { list: { name: string; type: string }[] }
  annotations: { list: { expr: string }[] }
}

/** The names of all metrics, and which of them are histograms. */
async function metricTypes(): Promise<Map<string, string>> {
  const text = await openMetrics(blankBoard('1.2.3', 0)).text()
  return new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]))
}

function namesIn(text: string): string[] {
  return [...new Set(text.match(/\b(rekindle|process|nodejs)_[a-z\d_]+\b/g) ?? [])].map((name) =>
    name.replace(/_bucket$/, ''),
  )
}

describe('the dashboard', () => {
  const dashboard = JSON.parse(read('grafana/rekindle.json')) as Dashboard
  const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))

  it('names metrics that there are, and all of ours', async () => {
    const types = await metricTypes()
    const named = namesIn([...expressions, ...dashboard.annotations.list.map(({ expr }) => expr)].join(' '))
    expect(named.filter((name) => !types.has(name))).toEqual([])
    expect([...types.keys()].filter((name) => name.startsWith('rekindle_') && !named.includes(name))).toEqual([])
  })

  it('asks for buckets of histograms only, and rates of counters only', async () => {
    const types = await metricTypes()
    for (const expr of expressions) {
      for (const [, name = ''] of expr.matchAll(/\b(rekindle_[a-z\d_]+)_bucket\b/g))
        expect(types.get(name), expr).toBe('histogram')
      if (/\b(rate|increase)\(/.test(expr) && !expr.includes('_bucket'))
        expect(types.get(namesIn(expr)[0] ?? ''), expr).toBe('counter')
    }
  })

  it('imports anywhere: every query goes to the data source that was chosen', () => {
    expect(dashboard).toMatchObject({ uid: 'rekindle', title: 'Rekindle', schemaVersion: expect.any(Number) })
    expect(dashboard.templating.list[0]).toMatchObject({ name: 'datasource', type: 'datasource' })
    for (const { type, datasource, targets = [] } of dashboard.panels) {
      if (type === 'row') continue
      expect(datasource?.uid).toBe('$' + '{datasource}')
      expect(targets.length).toBeGreaterThan(0)
      for (const target of targets) expect(target.datasource.uid).toBe('$' + '{datasource}')
    }
  })

  it('lies on the grid without overlaps', () => {
    const taken = new Map<string, string>()
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.get(`${x},${y}`), title).toBeUndefined()
          taken.set(`${x},${y}`, title)
        }
      }
    }
  })
})

describe('the alert rules', () => {
  const rules = parse(read('prometheus/rekindle.rules.yml')) as {
    groups: { rules: { alert: string; expr: string }[] }[]
  }
  const tested = read('prometheus/rekindle.test.yml')

  it('name metrics that there are, and are each tested', async () => {
    const types = await metricTypes()
    for (const { alert, expr } of rules.groups.flatMap((group) => group.rules)) {
      expect(
        namesIn(expr).filter((name) => !types.has(name)),
        alert,
      ).toEqual([])
      expect(tested).toContain(`alertname: ${alert}\n`)
    }
  })

  it.skipIf(!hasPromtool)(`pass promtool${WITHOUT_PROMTOOL}`, () => {
    const cwd = new URL('prometheus/', folder)
    for (const args of [
      ['check', 'rules', 'rekindle.rules.yml'],
      ['test', 'rules', 'rekindle.test.yml'],
    ]) {
      const { status, stdout, stderr } = spawnSync('promtool', args, { cwd, encoding: 'utf8' })
      expect(status, stdout + stderr).toBe(0)
    }
  })
})
