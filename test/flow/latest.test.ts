import { Subject } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { latest } from '../../src/flow/latest.js'
import { seeded } from '../decide/seeded.js'
import { Desk, record, settled } from './desk.js'

const join = (waiting: string, newer: string): string => `${waiting}+${newer}`

describe('latest', () => {
  let source: Subject<string>
  let desk: Desk<string, string>
  let told: unknown[]
  let unsubscribe: () => void
  beforeEach(() => {
    source = new Subject()
    desk = new Desk()
    const recorded = record(source.pipe(latest(join, desk.run)))
    told = recorded.told
    unsubscribe = () => recorded.subscription.unsubscribe()
  })

  const send = (...requests: string[]): void => {
    for (const request of requests) source.next(request)
  }

  it('starts at once', () => {
    send('a')
    expect(desk.requests).toEqual(['a'])
  })

  it('runs one at a time, and what came meanwhile as one', async () => {
    send('a', 'b', 'c', 'd')
    expect(desk.requests).toEqual(['a'])
    await desk.job(0).finish('A')
    expect(told).toEqual(['A'])
    expect(desk.requests).toEqual(['a', 'b+c+d'])
    await desk.job(1).finish('BCD')
    expect(told).toEqual(['A', 'BCD'])
  })

  it('takes up what comes after a rest', async () => {
    send('a')
    await desk.job(0).finish('A')
    send('b')
    expect(desk.requests).toEqual(['a', 'b'])
  })

  it('runs what its own outcome asks for, after what waited', async () => {
    source.pipe(latest(join, async () => 'x')).subscribe()
    const asked = new Subject<string>()
    const own = new Desk<string, string>()
    asked.pipe(latest(join, own.run)).subscribe((outcome) => {
      if (outcome === 'A') asked.next('again')
    })
    asked.next('a')
    asked.next('b')
    await own.job(0).finish('A')
    expect(own.requests).toEqual(['a', 'b+again'])
  })

  it('ends after the work that is under way', async () => {
    send('a')
    source.complete()
    expect(told).toEqual([])
    await desk.job(0).finish('A')
    expect(told).toEqual(['A', '|'])
  })

  it('ends after the last that waits, too', async () => {
    send('a', 'b')
    source.complete()
    await desk.job(0).finish('A')
    expect(told).toEqual(['A'])
    await desk.job(1).finish('B')
    expect(told).toEqual(['A', 'B', '|'])
  })

  it('stops the work when the source fails', async () => {
    send('a')
    const error = new Error('source')
    source.error(error)
    expect(told).toEqual([error])
    expect(desk.job(0).signal.aborted).toBe(true)
    await desk.job(0).finish('A')
    expect(told).toEqual([error])
  })

  it('fails when the work fails, and starts no more', async () => {
    send('a', 'b')
    const error = new Error('work')
    await desk.job(0).fail(error)
    expect(told).toEqual([error])
    expect(desk.requests).toEqual(['a'])
    expect(source.observed).toBe(false)
  })

  it('stops the work when nobody waits for it, starts no more and says nothing', async () => {
    send('a', 'b')
    unsubscribe()
    expect(desk.job(0).signal.aborted).toBe(true)
    expect(source.observed).toBe(false)
    await desk.job(0).finish('A')
    expect(told).toEqual([])
    expect(desk.requests).toEqual(['a'])
  })

  it('never runs two at once and never drops the last', async () => {
    const random = seeded(1)
    let sent = ''
    let under = 0
    for (let step = 0; step < 300; step++) {
      if (random.below(2) === 0) {
        sent += sent === '' ? `${step}` : `+${step}`
        send(`${step}`)
      } else if (under < desk.jobs.length) {
        await desk.job(under++).finish('done')
      }
      expect(desk.jobs.length - under).toBeLessThanOrEqual(1)
    }
    while (under < desk.jobs.length) await desk.job(under++).finish('done')
    expect(desk.requests.join('+')).toBe(sent)
  })

  it('is as quick as its source where no work is done', () => {
    new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run((helpers) => {
      const { cold, expectObservable, expectSubscriptions } = helpers
      const never = latest(join, () => new Promise<string>(() => undefined))
      const quiet = cold('---|')
      expectObservable(quiet.pipe(never)).toBe('---|')
      const failing = cold('a--#')
      expectObservable(failing.pipe(never)).toBe('---#')
      const busy = cold('a-b-|')
      expectObservable(busy.pipe(never)).toBe('-----')
      const left = cold('a-b-----|')
      expectObservable(left.pipe(never), '---!').toBe('----')
      expectSubscriptions(left.subscriptions).toBe('^--!')
      expectSubscriptions(failing.subscriptions).toBe('^--!')
    })
  })

  it('says nothing before it is asked', async () => {
    await settled()
    expect([told, desk.jobs]).toEqual([[], []])
  })
})
