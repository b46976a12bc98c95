/** A shell at a terminal, in which one presses TAB. */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../support/until.js'

const START = {
  bash: { command: 'bash --norc --noprofile -i', prepare: '' },
  zsh: { command: 'zsh -f -i', prepare: 'autoload -U compinit; compinit -u -D; ' },
}

export type Shell = keyof typeof START

/** Whether the shell is here, and `script`, which gives it a terminal. */
export function hasTerminal(shell: Shell): boolean {
  return [shell, 'script'].every((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0)
}

/** The arguments that `rekindle` is called with after TAB was pressed behind each line; the shell starts in `folder`. */
export async function pressTab(
  shell: Shell,
  script: string,
  lines: readonly string[],
  folder: string,
): Promise<string[]> {
  const { command, prepare } = START[shell]
  writeFileSync(join(folder, '.completion'), script)
  const terminal = spawn('script', ['-qec', command, '/dev/null'], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', TERM: 'dumb', HOME: folder },
  })
  const ended = once(terminal, 'close')
  let shown = ''
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  // The terminal shows what is typed, too, and that must not look like an answer.
  const called = (): string[] => [...shown.matchAll(/called:(.*?):end/g)].map(([, args = '']) => args)
  const type = (line: string): void => void terminal.stdin.write(`${line}\n`)
  try {
    type(`${prepare}source ./.completion; rekindle() { printf call''ed:; printf '<%s>' "$@"; echo :e''nd; }; rekindle`)
    await until(() => called().length === 1, { what: 'the shell' })
    for (const [i, line] of lines.entries()) {
      type(`${line}\t`)
      await until(() => called().length === i + 2, { what: line })
    }
    type('exit')
    await ended
  } finally {
    terminal.kill('SIGKILL')
  }
  return called().slice(1)
}
