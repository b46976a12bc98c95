import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rekindle, rekindleJson } from './rekindle.js'
import { hasTerminal, pressTab, type Shell } from './terminal.js'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-completion-'))
  writeFileSync(join(folder, 'my file.yaml'), '')
  mkdirSync(join(folder, 'backups'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function scriptFor(shell: Shell): Promise<string> {
  const { status, stdout, stderr } = await rekindle(['completion', shell])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout
}

describe('rekindle completion', () => {
  it('needs no configuration that is right', async () => {
    expect(await rekindle(['completion', 'bash'], { REDIS_URL: 'nonsense' })).toMatchObject({ status: 0 })
    const { answer } = await rekindleJson(['completion', 'bash'], {})
    expect(answer).toEqual({ ok: true, script: (await scriptFor('bash')).trimEnd() })
  })

  it('knows two shells, and says how to install itself in them', async () => {
    const { status, stderr } = await rekindle(['completion', 'fish'])
    expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringMatching(/fish.*bash, zsh/) })
    const { stdout } = await rekindle(['completion', '--help'])
    for (const shell of ['bash', 'zsh']) expect(stdout).toContain(`source <(rekindle completion ${shell})`)
  })

  it('knows all commands, and the options of each', async () => {
    const { stdout } = await rekindle(['--help'])
    const commands = [...(/^Commands:\n(.*?)\n\n/ms.exec(stdout)?.[1] ?? '').matchAll(/^ {2}(\w+)/gm)].map(
      ([, name = '']) => name,
    )
    expect(commands).toContain('watch')
    const scripts = [await scriptFor('bash'), await scriptFor('zsh')]
    for (const command of commands) {
      const { stdout: help } = await rekindle([command, '--help'])
      const options = [...help.matchAll(/(?<=^ {2}(?:-\w, )?)--[\w-]+/gm)].map(([option]) => option)
      for (const script of scripts) for (const word of [command, ...options]) expect(script).toContain(word)
    }
  }, 90_000)
})

describe('completion in bash', () => {
  let script: string
  beforeAll(async () => {
    script = await scriptFor('bash')
  })

  it.each([
    [[''], /^watch restore verify wait triggers .*\bcompletion help$/],
    [['re'], 'restore recover'],
    [['--config', 'backup', 'ba'], 'backup'],
    [['--config', '=', 'x.yaml', 'ba'], 'backup'],
    [['backup', ''], 'now list prune verify'],
    [['--json', 'backup', 'v'], 'verify'],
    [['backup', 'now', ''], ''],
    [['watch', ''], ''],
    [['help', 'un'], 'undo'],
    [['completion', ''], 'bash zsh'],
    [['--c'], '--config'],
    [['verify', '--rep'], '--repair'],
    [['verify', '--symb'], ''],
    [['restore', '--timeout', ''], ''],
    [['restore', '--timeout', '=', ''], ''],
    [['restore', '--timeout', '=', '3s', '--symb'], '--symbol'],
    [['restore', '-s', 'watch', '--symb'], '--symbol'],
    [['nonsense', ''], ''],
  ])('offers what goes on behind %j', (words, offered) => {
    const ask = `${script}\nCOMP_WORDS=(rekindle "$@") COMP_CWORD=$#; _rekindle; echo "\${COMPREPLY[*]}"`
    const { status, stdout, stderr } = spawnSync('bash', ['-uc', ask, 'bash', ...words], {
      cwd: folder,
      encoding: 'utf8',
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    if (typeof offered === 'string') expect(stdout).toBe(`${offered}\n`)
    else expect(stdout.trimEnd()).toMatch(offered)
  })
})

describe.each(['bash', 'zsh'] as const)('TAB in %s', (shell) => {
  const canType = hasTerminal(shell)
  if (!canType) console.log(`${shell} or script was not found: the test that presses TAB in ${shell} is SKIPPED.`)

  it.skipIf(!canType)('completes commands, acts, options and the names of files, and nothing else', async () => {
    const expected: [line: string, args: string][] = [
      ['rekindle trig', '<triggers>'],
      ['rekindle backup li', '<backup><list>'],
      ['rekindle verify --rep', '<verify><--repair>'],
      ['rekindle -c x verify --rep', '<-c><x><verify><--repair>'],
      ['rekindle --config my', '<--config><my file.yaml>'],
      ['rekindle --config=my', '<--config=my file.yaml>'],
      ['rekindle watch -c my', '<watch><-c><my file.yaml>'],
      ['rekindle recover --backup my', '<recover><--backup><my file.yaml>'],
      ['rekindle watch my', '<watch><my>'],
      ['rekindle wait --symbol my', '<wait><--symbol><my>'],
    ]
    const lines = expected.map(([line]) => line)
    expect(await pressTab(shell, await scriptFor(shell), lines, folder)).toEqual(expected.map(([, args]) => args))
    // zsh takes the slash away again when the line ends there.
    const [into] = await pressTab(shell, await scriptFor(shell), ['rekindle recover --into ba'], folder)
    expect(into).toMatch(/^<recover><--into><backups\/?>$/)
  })
})
