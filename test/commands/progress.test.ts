import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { count, Progress } from '../../src/commands/progress.js'

/** What a terminal of so many columns is sent; without columns it is no terminal. */
function terminal(columns?: number): { stream: NodeJS.WriteStream; sent(): string } {
  const through = new PassThrough({ encoding: 'utf8' })
  const stream = Object.assign(through, { isTTY: columns !== undefined, columns }) as unknown as NodeJS.WriteStream
  return { stream, sent: () => String(through.read() ?? '') }
}

it('draws a bar and its details over one another, and takes them away', () => {
  const { stream, sent } = terminal(100)
  const progress = new Progress(stream)
  progress.show('Restoring', 0.5, ['3/6 symbols', '48 keys'])
  expect(sent()).toBe(`\r\x1b[2KRestoring ${'━'.repeat(12)}${'─'.repeat(12)} 3/6 symbols · 48 keys`)
  progress.clear()
  expect(sent()).toBe('\r\x1b[2K')
  progress.clear()
  expect(sent()).toBe('')
})

it('draws a full bar only when all is done', () => {
  const bars = [0.99, 1].map((share) => {
    const { stream, sent } = terminal(100)
    new Progress(stream).show('Restoring', share, ['all'])
    return sent()
  })
  expect(bars[0]).toContain(`${'━'.repeat(23)}─ all`)
  expect(bars[1]).toContain(`${'━'.repeat(24)} all`)
})

it('draws no more often than a person can see', () => {
  const { stream, sent } = terminal(100)
  const progress = new Progress(stream)
  expect(progress.isDue).toBe(true)
  progress.show('Restoring', 0, ['one'])
  expect(progress.isDue).toBe(false)
  progress.show('Restoring', 0, ['two'])
  progress.say('three')
  const drawn = sent()
  expect(drawn).toMatch(/one.*three$/s)
  expect(drawn).not.toContain('two')
})

it('keeps to one line, however narrow the terminal', () => {
  const { stream, sent } = terminal(10)
  new Progress(stream).say('0123456789012345')
  expect(sent()).toBe('\r\x1b[2K012345678')
})

it('is silent where there is no terminal', () => {
  const { stream, sent } = terminal()
  const progress = new Progress(stream)
  progress.show('Restoring', 1, ['all'])
  progress.clear()
  expect(sent()).toBe('')
})

it('counts', () => {
  expect([count(0, 'key'), count(1, 'key'), count(12_345, 'key')]).toEqual(['0 keys', '1 key', '12,345 keys'])
})
