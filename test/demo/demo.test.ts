import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readdirSync } from 'node:fs'
import { afterEach, beforeEach, expect, inject, it } from 'vitest'
import { ownFolder, removeFolder } from '../../lab/processes.js'
import { describeOwnServers } from '../support/processes.js'
import { layouts, until } from '../support/servers.js'

const program = '.build/demo/main.js'
const stages = [
  ['first fill', '–'],
  ['FLUSHALL', 'flush'],
  ['kill -9, empty restart', 'restart'],
  ['SWAPDB 0 1', 'swapdb'],
  ['DEL one symbol', 'deletion'],
  ['SET over candles', 'corruption'],
  ['eviction', 'eviction'],
]

describeOwnServers('the demo', () => {
  let temp: string
  let child: ChildProcess
  let printed: string

  beforeEach(() => {
    temp = ownFolder('test')
    // PostgreSQL may run as another user than we do.
    chmodSync(temp, 0o755)
  })

  afterEach(() => {
    child.kill('SIGKILL')
    removeFolder(temp)
  })

  for (const { name: layout } of layouts) {
    it.skipIf(layout === 'timeseries' && !inject('hasTimeSeries'))(
      `wipes and heals everything (${layout})`,
      async () => {
        start('--symbols', '3', '--layout', layout)
        const [status] = await once(child, 'close')
        expect(status, printed).toBe(0)
        expect(rows(printed)).toEqual(stages)
        expect(printed).toMatch(/✓ rekindle verify\n {2}\d+ keys of 3 symbols hold what PostgreSQL holds/)
        expect(printed.split('\n').filter(({ length }) => length > 80)).toEqual([])
        expect(printed).not.toContain('\x1b')
        expect(left()).toEqual([])
      },
    )
  }

  it('ends at Ctrl-C and leaves nothing behind', async () => {
    start('--symbols', '1', '--layout', 'sortedset')
    await until(() => /✓ first fill/.test(printed), { what: 'the first fill' })
    expect(left()).not.toEqual([])
    child.kill('SIGINT')
    const [, signal] = await once(child, 'close')
    expect(signal).toBe('SIGINT')
    expect(printed).toMatch(/Stopped: ending what was started\.\n$/)
    expect(left()).toEqual([])
  })

  it('fails and shows the log if the daemon does not do its work', async () => {
    start('--symbols', '1', '--layout', 'sortedset', '--keep')
    const pid = await until(
      () =>
        processes()
          .find((line) => line.includes('dist/main.js watch'))
          ?.split(' ')[0],
      {
        what: 'the daemon',
      },
    )
    process.kill(Number(pid), 'SIGKILL')
    const [status] = await once(child, 'close')
    expect(status).toBe(1)
    expect(printed).toContain('✗ first fill: rekindle watch ended by itself (SIGKILL)')
    expect(left()).toEqual([])
  })

  it('refuses a wrong flag in one line', async () => {
    start('--symbols', 'many')
    expect(await once(child, 'close')).toEqual([2, null])
    expect(printed).toBe('demo: --symbols: "many" is no number of symbols; it should be 1 to 200\n')
  })

  function start(...args: string[]): void {
    if (!existsSync(program)) throw new Error(`${program} is missing: npm test builds it`)
    printed = ''
    child = spawn(process.execPath, [program, ...args], { env: { ...process.env, TMPDIR: temp } })
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        printed += text
      })
    }
  }

  /** Processes that work in our temporary folder, as `pid command`. */
  function processes(): string[] {
    const { stdout } = spawnSync('ps', ['-A', '-ww', '-o', 'pid=,args='], { encoding: 'utf8' })
    return stdout.split('\n').flatMap((line) => (line.includes(`${temp}/`) ? [line.trim()] : []))
  }

  function left(): string[] {
    return [...readdirSync(temp), ...processes()]
  }
})

/** What happened and its cause, from the table. */
function rows(text: string): string[][] {
  const [, table = ''] = /─\n((?:\S.*\n)+)/.exec(text) ?? []
  return table
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/).slice(0, 2))
}
