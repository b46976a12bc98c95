import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Screen } from '../../demo/screen.js'

describe('Screen', () => {
  it('writes plain lines into a pipe, and nothing of what passes', () => {
    const { out, written } = stream({})
    const screen = new Screen(out, {})
    screen.busy('filling')
    screen.done('filled', '3 s')
    screen.failed(screen.paint('bold', 'broken'))
    expect(written()).toBe('✓ filled  3 s\n✗ broken\n')
  })

  it('says on a terminal what goes on, in a line that fits and goes away', () => {
    const { out, written } = stream({ isTTY: true, columns: 12 })
    const screen = new Screen(out, { NO_COLOR: '1' })
    screen.busy('filling a large table')
    expect(written()).toBe('\x1b[?25l\r\x1b[2K⠋ filling a')
    screen.done('filled')
    expect(written().endsWith('filling a\r\x1b[2K\x1b[?25h✓ filled\n')).toBe(true)
  })

  it('has colours on a terminal, unless NO_COLOR is set or the terminal has none', () => {
    const painted = (env: NodeJS.ProcessEnv) => new Screen(stream({ isTTY: true }).out, env).paint('red', 'x')
    expect(painted({})).toBe('\x1b[31mx\x1b[39m')
    expect(painted({ NO_COLOR: '1' })).toBe('x')
    expect(painted({ TERM: 'dumb' })).toBe('x')
  })

  it('is silent once it is closed', () => {
    const { out, written } = stream({})
    const screen = new Screen(out, {})
    screen.close('Stopped.')
    screen.failed('the connection was closed')
    screen.busy('ending')
    expect(written()).toBe('Stopped.\n')
  })
})

function stream(traits: { isTTY?: boolean; columns?: number }) {
  const chunks: string[] = []
  const out = new Writable({
    decodeStrings: false,
    write: (chunk: string, _, done) => {
      chunks.push(chunk)
      done()
    },
  })
  return { out: Object.assign(out, traits) as unknown as NodeJS.WriteStream, written: () => chunks.join('') }
}
