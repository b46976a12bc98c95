import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Ajv } from 'ajv'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { withExamples } from '../../lab/reference/comments.js'
import { configJsonSchema, type JsonSchema } from '../../lab/reference/config-schema.js'
import { ANNOTATED } from '../../lab/reference/configuration.js'
import { referencePages } from '../../lab/reference/pages.js'
import { configSchema } from '../../src/config/schema.js'
import { readExamples } from './examples.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (name: string): string => readFileSync(`${root}${name}`, 'utf8')
const schema = JSON.parse(read('config/rekindle.schema.json')) as JsonSchema
const validate = new Ajv({ allowUnionTypes: true, strictTypes: false }).compile(schema)

/** What an editor finds wrong. */
function editorFinds(yaml: string): unknown {
  return validate(parse(yaml)) ? [] : validate.errors
}

/** True if Rekindle starts with it. */
function isLoaded(yaml: string): boolean {
  return configSchema.safeParse(parse(yaml) ?? {}).success
}

describe('the references', () => {
  let pages: Map<string, string>
  beforeAll(async () => {
    pages = await referencePages(root)
  })

  it.each([
    'docs/reference/configuration.md',
    'docs/reference/events.md',
    'docs/reference/metrics.md',
    'config/rekindle.schema.json',
  ])('%s says what the code says; `npm run docs` writes it anew', (name) => {
    expect(read(name)).toBe(pages.get(name))
  })

  it('leave no key of the configuration without a word', () => {
    const silent = (name: string, { description, ...inner }: JsonSchema): string[] => {
      if (description !== undefined) return []
      const forms = [inner, ...(inner.anyOf ?? [])].flatMap(({ properties = {} }) => Object.entries(properties))
      return forms.length === 0 ? [name] : forms.flatMap(([each, form]) => silent(`${name}.${each}`, form))
    }
    expect(Object.entries(schema.properties ?? {}).flatMap(([name, section]) => silent(name, section))).toEqual([])
  })

  it('refuse a comment about a key that there is not', () => {
    expect(() => configJsonSchema('watch:\n  # Gone.\n  pol: 1s\n')).toThrow(
      'line 3 of the configuration is about watch.pol',
    )
  })
})

describe('the schema for editors', () => {
  it('takes the annotated configuration, also with everything that is only shown in it', () => {
    expect(read(ANNOTATED)).toMatch(/^# yaml-language-server: \$schema=rekindle\.schema\.json\n/)
    expect(editorFinds(read(ANNOTATED))).toEqual([])
    const all = withExamples(read(ANNOTATED)).replace('redis://', 'rediss://')
    expect(Object.keys(parse(all).rows)).toEqual(['plans', 'tokens'])
    expect(all).toMatch(/^ {2}tls:$/m)
    expect(editorFinds(all)).toEqual([])
    expect(configSchema.safeParse(parse(all.replace('secret: …', 'secret: s'))).error).toBe(undefined)
  })

  const examples = [
    ...readExamples(root, Object.keys(schema.properties ?? {})),
    { where: 'deploy/', yaml: read('deploy/rekindle.yaml') },
  ]

  it('finds the examples of the documentation', () => {
    const files = new Set(examples.map(({ where }) => where.split(' ')[0]))
    for (const file of ['README.md', 'docs/data-loss.md', 'docs/security.md']) expect(files).toContain(file)
  })

  it.each(examples)('takes the example of $where, as Rekindle does', ({ yaml }) => {
    expect(editorFinds(yaml)).toEqual([])
    expect(isLoaded(yaml)).toBe(true)
  })

  it.each([
    '',
    'redis:\nwatch:\nalerts: { webhook: }',
    'candles: false',
    'candles: { timeframes: { d1: public.daily } }',
    'backup: { drill: false }',
    'backup: { drill: }',
    'http: { listen: false }',
  ])('takes %j, as Rekindle does', (yaml) => {
    expect(editorFinds(yaml)).toEqual([])
    expect(isLoaded(yaml)).toBe(true)
  })

  it.each([
    ['an unknown section', 'candels: false'],
    ['an unknown key', 'candles: { layuot: sortedset }'],
    ['an unknown key further in', 'indicators: { columns: { value: { when: x } } }'],
    ['an unknown key in a list', 'keys: [{ match: a, recovery: backup, effect: none }]'],
    ['an unknown key of rows', 'rows: { plans: { table: plans, key: "p:{id}", expire: x } }'],
    ['a list for a mapping', 'redis: []'],
    ['text for a mapping', 'watch: 1s'],
    ['a mapping for a list', 'keys: { match: a }'],
    ['true for a section that can only be off', 'candles: true'],
    ['a section that could be meant either way', 'candles:'],
    ['a number for text', 'redis: { url: 6379 }'],
    ['text for a number', 'candles: { last: many }'],
    ['text for yes or no', 'recover: { auto: "yes" }'],
    ['text for a list', 'backup: { after: copy-away }'],
    ['nothing for a value', 'sync: { channel: }'],
    ['a number that is too large', 'candles: { last: 100001 }'],
    ['a number that is too small', 'backup: { keep: { last: 0 } }'],
    ['a number that is not whole', 'backup: { keep: { days: 1.5 } }'],
    ['a word that is none of those known', 'log: { level: loud }'],
    ['a duration without its unit', 'watch: { poll: 1000 }'],
    ['a duration without its unit, as text', 'watch: { poll: "1000" }'],
    ['a duration with another unit', 'watch: { scrub: 5min }'],
    ['a duration that is not whole', 'backup: { drill: { every: 1.5d } }'],
    ['a duration of less than nothing', 'alerts: { webhook: { timeout: -5s } }'],
    ['blank text', 'symbols: { query: " " }'],
    ['a table in too many schemas', 'indicators: { values: a.b.c }'],
    ['a template without a symbol', 'candles: { keys: { close: ohlcv } }'],
    ['a template without a timeframe', 'indicators: { key: "indicator:{symbol}" }'],
    ['a template of rows without a column', 'rows: { plans: { table: plans, key: plan } }'],
    ['rows without a key', 'rows: { plans: { table: plans } }'],
    ['rows whose name is none', 'rows: { "a b": { table: plans, key: "p:{id}" } }'],
    ['a class without what brings it back', 'keys: [{ match: a }]'],
  ])('refuses %s, as Rekindle does', (_what, yaml) => {
    expect(editorFinds(yaml)).not.toEqual([])
    expect(isLoaded(yaml)).toBe(false)
  })
})
