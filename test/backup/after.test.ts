import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { runAfter } from '../../src/backup/after.js'
import { Trouble } from '../../src/errors.js'
import { isAlive } from '../support/processes.js'
import { until } from '../support/until.js'
import { folder, unhurried } from './support.js'

const SECRETS = {
  REDIS_URL: 'redis://:hush@host/0',
  REDIS_URL_FILE: '/run/hush',
  DATABASE_URL: 'postgres://u:hush@host/d',
  DATABASE_URL_FILE: '/run/hush',
  ALERTS_WEBHOOK_URL: 'https://hooks.example.com/hush',
  ALERTS_WEBHOOK_URL_FILE: '/run/hush',
  ALERTS_WEBHOOK_SECRET: 'hush',
  ALERTS_WEBHOOK_SECRET_FILE: '/run/hush',
  HTTP_LISTEN: 'hush:1',
  PGPASSWORD: 'hush',
  REDISCLI_AUTH: 'hush',
}

const backup = { path: '/backups/redis-1.rdb' }
const shell = (script: string): string[] => ['/bin/sh', '-c', script]

afterEach(() => {
  for (const name of [...Object.keys(SECRETS), 'KEPT']) delete process.env[name]
})

it('runs the command with the names in place, without a shell and without secrets', async () => {
  Object.assign(process.env, SECRETS, { KEPT: 'yes' })
  const out = join(folder(), 'out')
  const script = `printf '%s\\n' "$@" > ${out}; env | sed -n '/hush/p;s/^KEPT=//p' >> ${out}`
  await runAfter([...shell(script), 'name', '{file}', 'to:{manifest}', '$HOME; {other}'], backup, {
    signal: unhurried(),
  })
  expect(readFileSync(out, 'utf8').split('\n')).toEqual([
    '/backups/redis-1.rdb',
    'to:/backups/redis-1.rdb.json',
    '$HOME; {other}',
    'yes',
    '',
  ])
  await runAfter([], backup, { signal: unhurried() })
})

it('says how it failed, with the end of what it printed, but no password', async () => {
  const failing = shell('seq 1 5000; echo "cannot reach s3://me:hush@host password=hush" >&2; exit 3')
  const error = await runAfter(failing, backup, { signal: unhurried() }).catch((e: Trouble) => e)
  expect(error).toMatchObject({
    code: 'command_failed',
    message: expect.stringMatching(/ended with 3: [\s\S]*cannot reach/),
  })
  expect(String(error)).not.toContain('hush')
  expect(String(error).length).toBeLessThan(700)
  await expect(runAfter(['/no/such/program'], backup, { signal: unhurried() })).rejects.toMatchObject({
    code: 'command_failed',
    message: expect.stringContaining('cannot be run: spawn /no/such/program ENOENT'),
  })
  await expect(runAfter(shell('kill -9 $$'), backup, { signal: unhurried() })).rejects.toThrow('ended with a signal')
})

it('repeats no secret of its own, wherever it stands, and shows no half of one', async () => {
  const secrets = ['a/secret+word', 'secret']
  const said = async (script: string): Promise<string> =>
    String(await runAfter(shell(`${script}; exit 1`), backup, { signal: unhurried(), secrets }).catch((e) => e))
  expect(await said('echo "tried [a/secret+word], then (secret)"')).toContain('ended with 1: tried [***], then (***)')
  // What we show begins, and what we keep begins, in the middle of one.
  expect(await said('printf "a/secret+word%0395d" 7')).not.toMatch(/word|cret/)
  expect(await said('printf "a/secret+word%03995d" 7')).not.toMatch(/word|cret/)
  expect(await said('printf "password=hush%0395d" 7')).not.toContain('hush')
  expect(await said('for i in $(seq 400); do printf "a/secret+word "; done; echo end')).toMatch(/^[^\n]*(\*\*\* )+end$/)
})

it('ends one that hangs, and all that it has started', async () => {
  const pidFile = join(folder(), 'pid')
  const hanging = shell(`sleep 1000 & echo $! > ${pidFile}; wait`)
  await expect(runAfter(hanging, backup, { signal: unhurried(), limit: 300 })).rejects.toMatchObject({
    code: 'command_failed',
    message: expect.stringContaining('was ended after 0.3 s'),
  })
  await until(() => !isAlive(Number(readFileSync(pidFile, 'utf8'))))
})

it('ends with the rest', async () => {
  const stop = new AbortController()
  const running = runAfter(shell('sleep 1000'), backup, { signal: stop.signal })
  const reason = new Trouble('aborted', 'stopped by SIGTERM', 'run it again', true)
  stop.abort(reason)
  await expect(running).rejects.toBe(reason)
})
