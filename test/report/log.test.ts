import { describe, expect, it } from 'vitest'
import type { LogEvent } from '../../src/report/events.js'
import { openLog } from '../../src/report/log.js'

/** What the log makes of an event, as a machine reads it. */
function logged(event: LogEvent): Record<string, unknown> {
  const lines: string[] = []
  openLog('trace', { write: (line) => lines.push(line) }).emit(event)
  expect(lines).toHaveLength(1)
  return JSON.parse(lines[0] ?? '') as Record<string, unknown>
}

describe('a log line', () => {
  it('is JSON whatever names others give themselves', () => {
    const symbols = ['token=zz', '"},{"password":"x"}', 'a\nb', 'redis://u:secret@h']
    const line = logged({ event: 'symbols', total: 4, added: symbols, removed: [] })
    expect(line).toMatchObject({
      event: 'symbols',
      total: 4,
      msg: expect.stringMatching(/^4 symbols are enabled; new: /),
    })
    expect(line['added']).toHaveLength(4)
    expect(JSON.stringify(line)).not.toContain('secret')
  })

  it('hides passwords however deep they are, and in the sentence', () => {
    const line = logged({
      event: 'degraded',
      what: 'x',
      code: 'c',
      reason: 'no answer from redis://user:hunter2@host:6379/0',
      hint: 'password=hunter2 is wrong',
      since_ms: 0,
    })
    expect(JSON.stringify(line)).not.toContain('hunter2')
    expect(line['msg']).toMatch(/no answer from redis:\/\/user:\*\*\*@host/)
  })

  it('names the time, the level and the event', () => {
    expect(logged({ event: 'stopping', signal: 'SIGTERM' })).toMatchObject({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      event: 'stopping',
      signal: 'SIGTERM',
    })
  })
})
