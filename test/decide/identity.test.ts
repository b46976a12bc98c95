import { expect, it } from 'vitest'
import { identityChange, type PostgresIdentity } from '../../src/decide/identity.js'

const before: PostgresIdentity = { system: '1', database: '5', timeline: 1, recovering: false, position: 100n }

it.each<[string, Partial<PostgresIdentity>, Partial<PostgresIdentity>, string | undefined]>([
  ['the same, further on', {}, { position: 200n }, undefined],
  ['another server', {}, { system: '2', position: 1n }, 'system'],
  ['another database of the name', {}, { database: '6' }, 'database'],
  ['gone back', {}, { position: 99n }, 'rewound'],
  ['gone back on another timeline', {}, { position: 99n, timeline: 2 }, 'rewound'],
  [
    'a standby that was promoted elsewhere: it may have written more since than it lacks',
    {},
    { position: 200n, timeline: 2 },
    'timeline',
  ],
  ['the standby that answered before', { recovering: true }, { position: 200n, timeline: 2 }, 'promoted'],
  ['a standby that lags behind another', { recovering: true }, { recovering: true, position: 50n }, undefined],
  ['a server restored to an earlier timeline', { timeline: 3 }, { position: 200n, timeline: 2 }, 'timeline'],
])('%s', (_, then, now, change) => {
  expect(identityChange({ ...before, ...then }, { ...before, ...now })).toBe(change)
})
