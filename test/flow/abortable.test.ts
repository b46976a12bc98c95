import { Subject, switchMap } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { describe, expect, it } from 'vitest'
import { abortable } from '../../src/flow/abortable.js'
import { Desk, record, settled } from './desk.js'

describe('abortable', () => {
  it('emits what the work came to, and ends', async () => {
    const desk = new Desk<string, number>()
    const { told } = record(abortable((signal) => desk.run('work', signal)))
    expect(told).toEqual([])
    await desk.job(0).finish(42)
    expect(told).toEqual([42, '|'])
    expect(desk.jobs).toHaveLength(1)
  })

  it('passes on how the work failed', async () => {
    const desk = new Desk<string, number>()
    const { told } = record(abortable((signal) => desk.run('work', signal)))
    const error = new Error('no')
    await desk.job(0).fail(error)
    expect(told).toEqual([error])
  })

  it('passes on what is thrown before the work is under way', () => {
    const { told } = record(
      abortable(() => {
        throw new Error('at once')
      }),
    )
    expect(told).toEqual([new Error('at once')])
  })

  it('works anew for each subscriber', () => {
    const desk = new Desk<string, number>()
    const work = abortable((signal) => desk.run('work', signal))
    expect(desk.jobs).toHaveLength(0)
    record(work)
    record(work)
    expect(desk.jobs).toHaveLength(2)
  })

  it('tells the work to stop when nobody waits for it, and says nothing more', async () => {
    const desk = new Desk<string, number>()
    const { told, subscription } = record(abortable((signal) => desk.run('work', signal)))
    const { signal, finish } = desk.job(0)
    expect(signal.aborted).toBe(false)
    subscription.unsubscribe()
    expect(signal.aborted).toBe(true)
    await finish(42)
    expect(told).toEqual([])
  })

  it('swallows how aborted work fails', async () => {
    const desk = new Desk<string, number>()
    const { told, subscription } = record(abortable((signal) => desk.run('work', signal)))
    subscription.unsubscribe()
    await desk.job(0).fail(new Error('aborted'))
    expect(told).toEqual([])
  })

  it('is stopped by switchMap', async () => {
    const desk = new Desk<string, string>()
    const lives = new Subject<string>()
    const { told } = record(lives.pipe(switchMap((life) => abortable((signal) => desk.run(life, signal)))))
    lives.next('first')
    lives.next('second')
    expect(desk.jobs.map(({ signal }) => signal.aborted)).toEqual([true, false])
    await desk.job(0).finish('first')
    await desk.job(1).finish('second')
    lives.complete()
    await settled()
    expect(told).toEqual(['second', '|'])
  })

  it('is told to stop in the very frame', () => {
    const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected))
    scheduler.run(({ hot, expectObservable, flush }) => {
      const aborted: number[] = []
      const work = abortable((signal) => {
        signal.addEventListener('abort', () => aborted.push(scheduler.now()))
        return new Promise<never>(() => undefined)
      })
      expectObservable(hot('-a--b--|').pipe(switchMap(() => work)), '------!').toBe('-------')
      flush()
      expect(aborted).toEqual([4, 6])
    })
  })
})
