import { describe, expect, it } from 'vitest'
import { nextRun } from '../../src/flow/next-run.js'

describe('nextRun', () => {
  it('gives those who come while it runs the next run in common, which begins after they came', async () => {
    const ends: ((value: string) => void)[] = []
    let began = 0
    const run = nextRun(() => {
      began++
      return new Promise<string>((resolve) => ends.push(resolve))
    })
    const first = run()
    const [second, third] = [run(), run()]
    expect(began).toBe(1)
    ends[0]?.('one')
    expect(await first).toBe('one')
    await Promise.resolve()
    expect(began).toBe(2)
    const fourth = run()
    ends[1]?.('two')
    expect(await Promise.all([second, third])).toEqual(['two', 'two'])
    await Promise.resolve()
    ends[2]?.('three')
    expect(await fourth).toBe('three')
  })

  it('goes on after a run that failed', async () => {
    let runs = 0
    const run = nextRun(async () => {
      if (++runs === 1) throw new Error('away')
      return runs
    })
    const [first, second] = [run(), run()]
    await expect(first).rejects.toThrow('away')
    expect(await second).toBe(2)
  })
})
