import { expect, it, vi } from 'vitest'
import { Patience, sayDuration } from '../../src/commands/patience.js'
import { Trouble } from '../../src/errors.js'

const away = new Trouble('redis_unreachable', 'Redis is away', 'start it', true)

it('tries again what passes by itself', async () => {
  const troubles: Trouble[] = []
  const patience = new Patience(10_000, (trouble) => troubles.push(trouble))
  const attempt = vi.fn<() => Promise<string>>().mockRejectedValueOnce(away).mockResolvedValue('here')
  expect(await patience.insist('Redis', attempt)).toBe('here')
  expect(troubles).toEqual([away])
  patience.close()
})

it('rejects at once with what does not pass, and with what is no trouble', async () => {
  const patience = new Patience(10_000)
  for (const error of [new Trouble('redis_refused', 'wrong password', 'mend it', false), new TypeError('a bug')]) {
    await expect(patience.insist('Redis', () => Promise.reject(error))).rejects.toBe(error)
  }
  patience.close()
})

it('ends with the last trouble, or with the silence, when nothing got done in time', async () => {
  const last = await new Patience(60).insist('Redis', () => Promise.reject(away)).catch((error: unknown) => error)
  expect(last).toMatchObject({ code: 'redis_unreachable', message: 'Redis is away, after waiting 60 ms' })
  const silence = await new Patience(60).insist('Redis', () => new Promise(() => {})).catch((error: unknown) => error)
  expect(silence).toMatchObject({ code: 'timeout', message: 'Redis: no answer, after waiting 60 ms' })
  const idle = await new Patience(60).rest(10_000).catch((error: unknown) => error)
  expect(idle).toMatchObject({ code: 'timeout', message: 'nothing more got done, after waiting 60 ms' })
})

it('counts its limit from the last progress, which forgives the trouble before', async () => {
  vi.useFakeTimers()
  try {
    const patience = new Patience(100)
    patience.blame(away)
    vi.advanceTimersByTime(80)
    patience.progressed()
    vi.advanceTimersByTime(80)
    expect(patience.signal.aborted).toBe(false)
    vi.advanceTimersByTime(20)
    expect(patience.signal.reason).toMatchObject({ code: 'timeout' })
  } finally {
    vi.useRealTimers()
  }
})

it('blames the server that it asks now, not the one that answered before', async () => {
  const patience = new Patience(100)
  await patience.insist('PostgreSQL', () => Promise.resolve())
  const silence = await patience.insist('Redis', () => new Promise(() => {})).catch((error: unknown) => error)
  expect(silence).toMatchObject({ code: 'timeout', message: 'Redis: no answer, after waiting 100 ms' })
})

it('does not count a rest that it asked for itself', async () => {
  vi.useFakeTimers()
  try {
    const patience = new Patience(100)
    vi.advanceTimersByTime(80)
    const rest = patience.restFreely(2_000)
    vi.advanceTimersByTime(1_999)
    expect(patience.signal.aborted).toBe(false)
    const over = new AbortController()
    over.abort(away)
    await expect(patience.restFreely(2_000, over.signal)).rejects.toBe(away)
    vi.advanceTimersByTime(100)
    expect(patience.signal.aborted).toBe(true)
    await rest.catch(() => undefined)
  } finally {
    vi.useRealTimers()
  }
})

it('ends for another reason when told so, and stays ended', async () => {
  const patience = new Patience(10_000)
  const stopped = new Trouble('aborted', 'stopped', 'go on', true)
  const waiting = patience.insist('Redis', () => new Promise(() => {}))
  patience.end(stopped)
  await expect(waiting).rejects.toBe(stopped)
  await expect(patience.during(Promise.resolve())).rejects.toBe(stopped)
})

it('says durations as people do', () => {
  expect([12, 999, 1_500, 30_000, 150_000].map(sayDuration)).toEqual(['12 ms', '999 ms', '1.5 s', '30 s', '2.5 min'])
})
