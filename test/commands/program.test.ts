import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { rekindle, rekindleJson, writeConfig } from './rekindle.js'

describe('the command line', () => {
  it('teaches', async () => {
    const { status, stdout, stderr } = await rekindle(['--help'])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    for (const word of ['watch', 'restore', 'verify', 'wait', 'triggers', 'Examples:', 'Exit status:', 'REDIS_URL']) {
      expect(stdout).toContain(word)
    }
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  it('teaches each command', async () => {
    for (const command of ['watch', 'restore', 'verify', 'wait', 'triggers']) {
      const { status, stdout } = await rekindle([command, '--help'])
      expect(status).toBe(0)
      expect(stdout).toContain(`Usage: rekindle ${command}`)
      expect(stdout).toContain('--config <file>')
    }
  })

  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(await rekindle(['--version'])).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('shows its help on stderr where no command, or an unknown one, is asked about', async () => {
    for (const args of [[], ['help', 'nonsense']]) {
      const { status, stdout, stderr } = await rekindle(args)
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
      expect(stderr).toContain('Usage: rekindle')
    }
  })

  it.each([
    [['restor'], "unknown command 'restor' (Did you mean restore?)"],
    [['restore', '--jsn'], "unknown option '--jsn' (Did you mean --json?)"],
    [['wait', '--repair'], "unknown option '--repair'; see rekindle --help"],
    [['restore', 'BTCUSDT'], "too many arguments for 'restore'. Expected 0 arguments but got 1; see rekindle --help"],
    [['restore', '--symbol'], "option '-s, --symbol <symbol>' argument missing; see rekindle --help"],
    [['wait', '--timeout', '30'], '--timeout: "30" has no unit; it should be 30ms or 30s, say'],
    [['verify', '--timeout', 'soon'], /^rekindle: --timeout: "soon" is not a duration; it should be .*$/],
    [['triggers', '--apply', '--drop'], /^rekindle: --apply and --drop: .*; it should be one of them$/],
    [['watch', '--config', 'gone.yaml'], '--config: "gone.yaml" does not exist; it should be a YAML file'],
  ])('answers %j with one line', async (args, line) => {
    const { status, stdout, stderr } = await rekindle(args)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr.endsWith('\n')).toBe(true)
    const said = stderr.slice(0, -1)
    if (typeof line === 'string') expect(said).toBe(`rekindle: ${line}`)
    else expect(said).toMatch(line)
  })

  it('names the key that is wrong, with --config before or after the command', async () => {
    const file = writeConfig({ candles: { layuot: 'sortedset' } }, 'wrong.yaml')
    const line = `rekindle: ${file}: candles.layuot: unknown key; did you mean candles.layout?\n`
    for (const args of [
      ['--config', file, 'restore'],
      ['restore', '-c', file],
    ]) {
      expect(await rekindle(args)).toMatchObject({ status: 2, stdout: '', stderr: line })
    }
  })

  it('never shows a password, not even of a URL that is wrong', async () => {
    const env = { REDIS_URL: 'redis://:hush@[', DATABASE_URL: 'postgres://me:hush@db:99999/x' }
    for (const command of ['watch', 'restore', 'verify', 'wait']) {
      const { status, stderr } = await rekindle([command], env)
      expect(status).toBe(2)
      expect(stderr).toMatch(/^rekindle: REDIS_URL: redis\.url: .*\n$/)
      expect(stderr).not.toContain('hush')
    }
  })

  it('tells a machine what is wrong, too', async () => {
    const { status, answer, stderr } = await rekindleJson(['wait', '--timeout', '30'], {})
    expect(status).toBe(2)
    const error = '--timeout: "30" has no unit; it should be 30ms or 30s, say'
    expect(answer).toEqual({ ok: false, code: 'config', error, hint: 'see rekindle --help' })
    expect(stderr).toBe(`rekindle: ${error}\n`)
  })
})
