import { beforeAll, beforeEach, expect, it } from 'vitest'
import { takeBackup } from '../../src/backup/take.js'
import { connect } from '../recover/connections.js'
import { makeFolder } from '../recover/folders.js'
import { PROMPT } from '../recover/things.js'
import { testConfig } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { useRedis } from '../support/servers.js'
import { rekindle, rekindleJson, writeConfig } from './rekindle.js'

const NO_POSTGRES = 'postgres://127.0.0.1:1/none'
const KEYS = [
  { match: 'sub:*', recovery: 'backup' },
  { match: 'price:*', recovery: 'itself' },
]
const library = (name: string, answer: string): string =>
  `#!lua name=${name}\nredis.register_function('${name}_answer', function() return '${answer}' end)`

describeOwnServers('what is no key of ours', () => {
  const redis = useRedis({ args: [...PROMPT.args, '--appendonly', 'yes'] })
  const folder = makeFolder()
  /** Redis 6 knows no functions. */
  let hasFunctions: boolean
  let config: string

  beforeAll(async () => {
    hasFunctions = await redis.cli('FUNCTION', 'STATS').then(
      () => true,
      () => false,
    )
    const other = connect(redis.url, 3)
    await other.mset('other:1', 'a', 'other:2', 'b')
    await redis.cli('MSET', 'sub:1', 'a', 'sub:2', 'b', 'stray', 'c', 'price:X', '1', 'ohlcv:X:m1', 'd')
    if (hasFunctions) {
      await redis.cli('FUNCTION', 'LOAD', library('mine', 'then'))
      await redis.cli('FUNCTION', 'LOAD', Buffer.from(`${library('bytes', '\xff')}`, 'latin1'))
    }
    const settings = { layout: 'sortedset' as const, more: { backup: { dir: folder }, keys: KEYS } }
    await takeBackup({ config: testConfig(redis.url, NO_POSTGRES, settings), signal: new AbortController().signal })
    config = writeConfig({ candles: { layout: 'sortedset' }, backup: { dir: folder }, keys: KEYS })
  })
  beforeEach(async () => {
    await redis.cli('FLUSHALL')
    if (hasFunctions) await redis.cli('FUNCTION', 'FLUSH')
  })

  const env = (url = redis.url) => ({ REDIS_URL: url, DATABASE_URL: NO_POSTGRES })
  const recover = (...args: string[]) => rekindle(['recover', '--config', config, ...args], env())
  const recoverJson = (...args: string[]) => rekindleJson(['recover', '--config', config, ...args], env())
  const answerOf = (name: string) => redis.cli('FCALL', `${name}_answer`, 0)
  const loaded = async () =>
    (((await redis.cli('FUNCTION', 'LIST')) as unknown[][]) ?? []).map(([, name]) => name).sort()

  it('is brought back if it is functions, and told of otherwise', async (test) => {
    test.skip(!hasFunctions, 'Redis 6 knows no functions')
    const { status, stdout, stderr } = await recover()
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain('Brought back 2 keys from')
    expect(stdout).toMatch(/Loaded 2 function libraries \((bytes, mine|mine, bytes)\)\./)
    expect(stdout).toContain(
      'The backup holds more, which was not asked for: 1 key of no class (--match brings them), ' +
        '1 key that their writers bring back, 1 key that PostgreSQL gives back.',
    )
    expect(stdout).toContain('It holds other databases, too: db3 (2 keys); each is brought back with redis.url at it.')
    expect(await answerOf('mine')).toBe('then')
    // Byte by byte, also what is no UTF-8.
    const [bytes] = (await connect(redis.url).callBuffer(
      'FUNCTION',
      'LIST',
      'LIBRARYNAME',
      'bytes',
      'WITHCODE',
    )) as Buffer[][]
    expect(bytes?.at(-1)?.includes(0xff)).toBe(true)

    await redis.cli('FUNCTION', 'LOAD', 'REPLACE', library('mine', 'now'))
    const again = await recoverJson()
    expect(again.answer).toMatchObject({
      ok: true,
      copied: 0,
      kept: 2,
      functions: { loaded: [], failed: [], left: [] },
      left_keys: { of_no_class: 1, itself: 1, postgres: 1 },
      left_databases: [{ database: 3, keys: 2 }],
    })
    expect(await answerOf('mine')).toBe('now')
    const kept = await recover()
    expect(kept.stdout).toMatch(/Kept 2 function libraries .* as Redis has it; --replace loads that of the backup\./)
    await recover('--replace')
    expect(await answerOf('mine')).toBe('then')
  })

  it('is left alone where keys are named, or on a dry run, and told of', async (test) => {
    test.skip(!hasFunctions, 'Redis 6 knows no functions')
    const { status, stdout } = await recover('--match', 'sub:1')
    expect(status).toBe(0)
    expect(stdout).toContain('which was not asked for: 4 keys of other names.')
    expect(stdout).toMatch(/It holds 2 function libraries \(.*\), too, which --match '\*' or none brings back\./)
    const dry = await recover('--dry-run')
    expect(dry.stdout).toMatch(/Would load 2 function libraries/)
    expect(await loaded()).toEqual([])
    await recover('--match', '*')
    expect(await loaded()).toEqual(['bytes', 'mine'])
  })

  it('is an error where Redis refuses it, and the keys are back all the same', async (test) => {
    test.skip(!hasFunctions, 'Redis 6 knows no functions')
    await redis.cli('ACL', 'SETUSER', 'small', 'reset', 'on', '>x', 'allkeys', '+@all', '-function')
    const url = redis.url.replace('//', '//small:x@')
    const { status, stdout, stderr } = await rekindle(['recover', '--config', config], env(url))
    expect(status).toBe(1)
    expect(stdout).toContain('Brought back 2 keys from')
    expect(stderr).toMatch(/2 function libraries .* could not be loaded: NOPERM.*\+function\|load/s)
    expect(await redis.cli('EXISTS', 'sub:1', 'sub:2')).toBe(2)
  })

  it('is counted by a backup, proved by a drill, and told by the doctor', async (test) => {
    test.skip(!hasFunctions, 'Redis 6 knows no functions')
    const dir = makeFolder()
    const own = writeConfig({ candles: false, indicators: false, backup: { dir }, keys: KEYS }, 'own.yaml')
    const run = (...args: string[]) => rekindleJson([...args, '--config', own], env())
    const doctor = async () => (await run('doctor')).answer
    const found = async () => {
      const { functions, findings } = (await doctor()) as { functions: object; findings: { code: string }[] }
      return { functions, isFound: findings.some(({ code }) => code === 'functions_unsaved') }
    }
    await redis.cli('SET', 'sub:1', 'a')
    expect(await found()).toEqual({ functions: null, isFound: false })
    await redis.cli('FUNCTION', 'LOAD', library('mine', 'then'))
    // Long enough to be packed in the file.
    await redis.cli('FUNCTION', 'LOAD', `${library('long', 'then')}\n${'-- and so on\n'.repeat(500)}`)
    expect(await found()).toMatchObject({ functions: { backup_taken_at: null }, isFound: true })
    expect((await rekindle(['doctor', '--config', own], env())).stdout).toMatch(/; no backup\s+holds them\./)

    const taken = await run('backup')
    expect(JSON.stringify(taken.answer)).toMatch(/"functions":\["(mine","long|long","mine)"\]/)
    expect((await run('backup', 'verify')).status).toBe(0)
    expect(await found()).toMatchObject({ functions: { not_in_backup: [] }, isFound: false })
    expect((await rekindle(['doctor', '--config', own], env())).stdout).toMatch(
      /the backup taken .* ago\s+holds\s+them\./,
    )

    await redis.cli('FUNCTION', 'LOAD', library('new', 'now'))
    expect(await found()).toMatchObject({ functions: { not_in_backup: ['new'] }, isFound: true })
    await redis.cli('FUNCTION', 'DELETE', 'mine')
    const { stderr, stdout } = await rekindle(['backup', '--config', own], env())
    expect(`${stdout}${stderr}`.replace(/\s+/g, ' ')).toContain(
      'this backup holds no function library mine, and the one before did',
    )
  })

  it('of other databases is brought back from there', async () => {
    const [backup = ''] = [(await recoverJson('--dry-run')).answer['backup'] as string]
    const url = redis.url.replace(/0$/, '3')
    const args = ['recover', '--config', config, '--backup', backup, '--match', '*']
    const { answer } = await rekindleJson(args, env(url))
    expect(answer).toMatchObject({ ok: true, copied: 2, left_databases: [{ database: 0, keys: 5 }] })
    expect(await connect(redis.url, 3).mget('other:1', 'other:2')).toEqual(['a', 'b'])
  })

  it('is told of by an undo, as far as Redis lacks it', async () => {
    await redis.cli('MSET', 'sub:1', 'a', 'stray', 'c')
    const [one, three] = [connect(redis.url, 1), connect(redis.url, 3)]
    await three.mset('other:1', 'a', 'other:2', 'b')
    await one.set('other:1', 'a')
    if (hasFunctions) await redis.cli('FUNCTION', 'LOAD', library('mine', 'then'))
    await redis.cli('FLUSHALL')
    await one.set('other:1', 'again')
    if (hasFunctions) await redis.cli('FUNCTION', 'FLUSH')
    const { answer } = await rekindleJson(['undo', '--config', config], env())
    expect(answer).toMatchObject({
      ok: true,
      copied: 2,
      left_databases: [{ database: 3, keys: 2 }],
      functions_missing: hasFunctions ? ['mine'] : [],
    })
    await redis.cli('FLUSHALL')
    const { stdout } = await rekindle(['undo', '--config', config, '--flush', '2'], env())
    expect(stdout).toContain('Other databases held more then: ')
    expect(stdout).toContain('db3 (2 keys); each is brought back with redis.url at it.')
    if (hasFunctions) expect(stdout).toContain('Redis lacks 1 function library (mine) of then, which no flush takes')
  })
})
