import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { runAfter } from '../../src/backup/after.js'
import { Trouble } from '../../src/errors.js'
import { isAlive } from '../support/processes.js'
import { until } from '../support/until.js'
import { folder, unhurried } from './support.js'

const backup = { path: '/backups/redis-1.rdb' }
const shell = (script: string): string[] => ['/bin/sh', '-c', script]

afterEach(() => {
  for (const name of ['REDIS_URL', 'DATABASE_URL', 'KEPT']) delete process.env[name]
})

it('runs the command with the names in place, without a shell and without the URLs of the servers', async () => {
  Object.assign(process.env, {
    REDIS_URL: 'redis://:hush@host/0',
    DATABASE_URL: 'postgres://u:hush@host/d',
    KEPT: 'yes',
  })
  const out = join(folder(), 'out')
  const script = `printf '%s\\n' "$@" "$REDIS_URL$DATABASE_URL$KEPT" > ${out}`
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
