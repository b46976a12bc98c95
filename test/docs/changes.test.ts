import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { changeSources, type Relation, type Source, type Surroundings } from '../../src/decide/change-sources.js'

const page = readFileSync(fileURLToPath(new URL('../../docs/changes.md', import.meta.url)), 'utf8')

/** The rows of the table, by the first column; the others as text. */
function readTable(): Map<string, string[]> {
  const lines = page.split('## By table')[1]?.split('\n## ')[0]?.split('\n') ?? []
  const rows = lines.filter((line) => line.startsWith('| ')).slice(1)
  return new Map(
    rows.map((line) => {
      const [first = '', ...rest] = line.split('|').slice(1, -1)
      return [first.trim(), rest.map((cell) => cell.trim())] as const
    }),
  )
}

const SELF: Relation = {
  name: 'public.t',
  role: 'self',
  kind: 'r',
  persistence: 'p',
  subscribed: false,
  triggers: 'always',
}
const with_ = (more: Partial<Relation>): Relation[] => [{ ...SELF, ...more }]
const OTHER = { name: 'public.p1', triggers: 'missing' } as const

interface Situation {
  readonly relations?: readonly Relation[]
  readonly source?: Partial<Source>
  readonly around?: Partial<Surroundings>
}

/** Each state that triggers can be in must be told of. */
const STATES: Readonly<Record<Relation['triggers'], string>> = {
  always: 'has all its triggers',
  missing: 'has none',
  disabled: 'has triggers that somebody disabled',
  outdated: 'has triggers of an earlier version of Rekindle, or for columns that the configuration had before',
  origin:
    'has triggers that were not installed by its owner, and so are silent in sessions with `session_replication_role = replica`',
}

const SITUATIONS = new Map<string, Situation>([
  ...Object.entries(STATES).map(([triggers, text]): [string, Situation] => [
    text,
    { relations: with_({ triggers: triggers as Relation['triggers'] }) },
  ]),
  [
    'has a partition or child without triggers: one that was created or attached since `triggers --apply`',
    { relations: [SELF, { ...SELF, ...OTHER, role: 'part' }] },
  ],
  ['is a part of a table without triggers', { relations: [SELF, { ...SELF, ...OTHER, role: 'parent' }] }],
  ['is filled by a subscription of logical replication', { relations: with_({ subscribed: true }) }],
  ['is any ordinary one, and the WAL is read', { around: { heard: 'wal' } }],
  ['is unlogged, and the WAL is read', { relations: with_({ persistence: 'u' }), around: { heard: 'wal' } }],
  ['is a view', { relations: with_({ kind: 'v' }) }],
  ['is a materialised view', { relations: with_({ kind: 'm' }) }],
  ['is a foreign table', { relations: with_({ kind: 'f' }) }],
  [
    'is a query of `rows`, or one of several tables of `symbols.query`',
    { relations: [], source: { unheard: 'it is a query' } },
  ],
  ['is any, and `sync.source` is `poll`', { around: { heard: undefined, deaf: { why: 'sync.source is poll' } } }],
  [
    'is any, and nothing is listened to: behind a pooler, on a standby, while the connection is broken',
    { around: { heard: undefined, deaf: { why: '(the reason)' } } },
  ],
  [
    'is any of these, and polling it fails',
    { around: { heard: undefined, deaf: { why: '(that of the row above)' }, pollOf: () => undefined } },
  ],
])

/** What stands in the table for the times of the configuration. */
const TIMES: Readonly<Record<number, string>> = {
  10: '10 ms',
  100: '100 ms',
  1000: '`watch.poll`',
  300000: '`watch.scrub`',
}
const WAYS = { triggers: 'triggers', wal: 'the WAL', poll: 'polling', scrub: 'the scrub' }

describe('what can be seen, and what is polled', () => {
  it.each([...SITUATIONS])('is as the page says where the table %s', (text, { relations, source, around }) => {
    const given: Source = {
      dataset: 'candles.m1',
      key: 'candles.timeframes.m1',
      table: 't',
      relations: relations ?? [SELF],
      ...source,
    }
    const surroundings: Surroundings = { heard: 'triggers', pollOf: () => 1_000, scrub: 300_000, ...around }
    const [found] = changeSources([given], surroundings)
    expect([WAYS[found?.found_by ?? 'scrub'], TIMES[found?.within_ms ?? 0], found?.why ?? '']).toEqual(
      readTable().get(text),
    )
  })

  it('is no other', () => {
    expect([...readTable().keys()].sort()).toEqual([...SITUATIONS.keys()].sort())
  })
})
