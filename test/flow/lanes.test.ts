import { Subject } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { describe, expect, it } from 'vitest'
import { lanes } from '../../src/flow/lanes.js'
import { type Seeded, seeded } from '../decide/seeded.js'
import { Desk, settled } from './desk.js'
import { type Item, item, nameOf, setUp } from './lanes-desk.js'

describe('lanes', () => {
  it('makes full batches of a burst', async () => {
    const { send, started } = setUp()
    send('A/m1 B/m1 C/m1 D/m1')
    expect(started()).toEqual([])
    await settled()
    expect(started()).toEqual(['A/m1 B/m1 C/m1', 'D/m1'])
  })

  it('runs no more batches at once than allowed', async () => {
    const { send, started, desk } = setUp({ batchSize: 1 })
    send('A/m1 B/m1 C/m1 D/m1')
    await settled()
    expect(started()).toEqual(['A/m1', 'B/m1'])
    await desk.job(1).finish('b')
    expect(started()).toEqual(['A/m1', 'B/m1', 'C/m1'])
  })

  it('emits what each batch came to, in the order in which they end', async () => {
    const { send, desk, told } = setUp({ batchSize: 1 })
    send('A/m1 B/m1')
    await settled()
    await desk.job(1).finish('b')
    await desk.job(0).finish('a')
    expect(told).toEqual(['b', 'a'])
  })

  it('never has two batches with one lane', async () => {
    const { send, started, desk } = setUp()
    send('A/m1 A/m5 B/m5')
    await settled()
    expect(started()).toEqual(['A/m1', 'B/m5'])
    await desk.job(1).finish('b')
    expect(started()).toHaveLength(2)
    await desk.job(0).finish('a')
    expect(started()).toEqual(['A/m1', 'B/m5', 'A/m5'])
  })

  it('runs a task again that comes while it runs, afterwards', async () => {
    const { send, started, desk } = setUp()
    send('A/m1/old')
    await settled()
    send('A/m1/new')
    await settled()
    expect(started()).toEqual(['A/m1/old'])
    await desk.job(0).finish('a')
    expect(started()).toEqual(['A/m1/old', 'A/m1/new'])
  })

  it('merges newer tasks into the one that waits, which keeps its place', async () => {
    const { send, started, desk } = setUp({ batchSize: 1, concurrency: 1 })
    send('A/m1/0')
    await settled()
    send('B/m1/1 C/m1/2 B/m1/3 B/m1/4 B/m5/5')
    await desk.job(0).finish('a')
    await desk.job(1).finish('b')
    await desk.job(2).finish('c')
    expect(started()).toEqual(['A/m1/0', 'B/m1/1+3+4', 'C/m1/2', 'B/m5/5'])
  })

  it('takes lower ranks first, whatever came first', async () => {
    const { send, started, desk } = setUp({ concurrency: 1 })
    send('A/m15 B/m15 A/m5 A/m1 C/m1')
    await settled()
    for (let nth = 0; nth < 3; nth++) await desk.job(nth).finish('done')
    expect(started()).toEqual(['A/m1 C/m1', 'A/m5', 'A/m15 B/m15'])
  })

  it('lets higher ranks go on where the lanes of the lower ones are busy', async () => {
    const { send, started } = setUp()
    send('A/m1/1')
    await settled()
    send('A/m1/2 B/m5')
    await settled()
    expect(started()).toEqual(['A/m1/1', 'B/m5'])
  })

  it('takes up what an outcome asks for, in one batch', async () => {
    const { source, options } = setUp()
    const desk = new Desk<readonly Item[], string>()
    const asked = new Subject<Item>()
    asked.pipe(lanes({ ...options, run: desk.run })).subscribe(() => {
      for (const name of ['A/m1/again', 'B/m1/again']) asked.next(item(name))
    })
    asked.next(item('A/m1'))
    await settled()
    await desk.job(0).finish('a')
    expect(desk.requests.map((batch) => batch.map(nameOf))).toEqual([['A/m1'], ['A/m1/again', 'B/m1/again']])
    source.complete()
  })

  it('ends after what runs and what waits', async () => {
    const { source, send, desk, told } = setUp({ batchSize: 1, concurrency: 1 })
    send('A/m1 B/m1')
    source.complete()
    await settled()
    await desk.job(0).finish('a')
    expect(told).toEqual(['a'])
    await desk.job(1).finish('b')
    expect(told).toEqual(['a', 'b', '|'])
  })

  it('ends where nothing was ever to be done', async () => {
    const { source, told } = setUp()
    source.complete()
    await settled()
    expect(told).toEqual(['|'])
  })

  it('stops what runs when nobody waits for it, starts no more and says nothing', async () => {
    const { source, send, subscription, desk, told } = setUp({ batchSize: 1 })
    send('A/m1 B/m1 C/m1')
    await settled()
    subscription.unsubscribe()
    expect(desk.jobs.map(({ signal }) => signal.aborted)).toEqual([true, true])
    expect(source.observed).toBe(false)
    await desk.job(0).finish('a')
    await desk.job(1).fail(new Error('aborted'))
    expect(told).toEqual([])
    expect(desk.jobs).toHaveLength(2)
  })

  it('starts nothing if nobody waits any more when the burst ends', async () => {
    const { send, subscription, desk } = setUp()
    send('A/m1')
    subscription.unsubscribe()
    await settled()
    expect(desk.jobs).toEqual([])
  })

  it('stops what runs when the source fails', async () => {
    const { source, send, desk, told } = setUp()
    send('A/m1')
    await settled()
    const error = new Error('source')
    source.error(error)
    expect(told).toEqual([error])
    expect(desk.job(0).signal.aborted).toBe(true)
    await desk.job(0).finish('a')
    expect(told).toEqual([error])
  })

  it('fails when work fails, and stops the rest', async () => {
    const { source, send, desk, told } = setUp({ batchSize: 1 })
    send('A/m1 B/m1 C/m1')
    await settled()
    const error = new Error('work')
    await desk.job(0).fail(error)
    expect(told).toEqual([error])
    expect(desk.job(1).signal.aborted).toBe(true)
    await desk.job(1).finish('b')
    expect(desk.jobs).toHaveLength(2)
    expect(told).toEqual([error])
    expect(source.observed).toBe(false)
  })

  it('errors and is left in the frames of its source', () => {
    const { options } = setUp()
    new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run((helpers) => {
      const { cold, expectObservable, expectSubscriptions } = helpers
      const failing = cold<Item>('a--#', { a: item('A/m1') })
      expectObservable(failing.pipe(lanes(options))).toBe('---#')
      const left = cold<Item>('a-----|', { a: item('A/m1') })
      expectObservable(left.pipe(lanes(options)), '---!').toBe('----')
      expectSubscriptions(failing.subscriptions).toBe('^--!')
      expectSubscriptions(left.subscriptions).toBe('^--!')
    })
  })

  it.each([1, 2, 3, 4, 5])('keeps every rule under load (%i)', async (seed) => {
    const random = seeded(seed)
    const { send, desk, source, told } = setUp({ batchSize: 3, concurrency: 2 })
    const running = new Set<number>()
    const sent: string[] = []
    let seen = 0
    const look = (): void => {
      for (; seen < desk.jobs.length; seen++) running.add(seen)
      const busy = [...running].map((nth) => desk.job(nth).request)
      const lanesBusy = busy.flat().map(({ lane }) => lane)
      expect(new Set(lanesBusy).size).toBe(lanesBusy.length)
      expect(busy.length).toBeLessThanOrEqual(2)
      for (const batch of busy) {
        expect(batch.length).toBeLessThanOrEqual(3)
        expect(new Set(batch.map(({ group }) => group)).size).toBe(1)
      }
    }
    const endOne = async (): Promise<void> => {
      const nth = random.pick([...running])
      running.delete(nth)
      await desk.job(nth).finish(`${nth}`)
    }
    for (let step = 0; step < 200; step++) {
      if (random.below(3) > 0) sent.push(some(random, step, send))
      else if (running.size > 0) await endOne()
      await settled()
      look()
    }
    source.complete()
    for (look(); running.size > 0; look()) await endOne()
    expect(told.at(-1)).toBe('|')
    const done = desk.requests
      .flat()
      .flatMap(({ lane, group, text }) => text.split('+').map((t) => `${lane}/${group}/${t}`))
    expect(done.sort()).toEqual(sent.sort())
  })
})

function some(random: Seeded, step: number, send: (name: string) => void): string {
  const name = `${random.pick([...'ABCDEF'])}/${random.pick(['m1', 'm5', 'm15'])}/${step}`
  send(name)
  return name
}
