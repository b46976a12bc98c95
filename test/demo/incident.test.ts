import { beforeEach, describe, expect, it } from 'vitest'
import { type Deed, watchIncident } from '../../demo/incident.js'
import { Journal } from '../../demo/journal.js'

describe('watchIncident', () => {
  let journal: Journal
  let lacking: string[][]
  let noticed: number[]

  beforeEach(() => {
    journal = new Journal()
    lacking = []
    noticed = []
  })

  it('tells what was lost, why, and how long it took', async () => {
    log({ event: 'data_loss', incident: 1, cause: 'restart', keys_lost: 99 })
    const outcome = await watch(() => {
      log({ event: 'data_loss', incident: 2, cause: 'flush', keys_lost: 8, keys_incomplete: { hole: 2 } })
      log({ event: 'healed', incident: 2, keys: 10, samples: 40, fields: 5, time_to_heal_ms: 0 })
    })
    expect(outcome).toMatchObject({ cause: 'flush', keys: 10, symbols: 1, values: 45 })
    expect(outcome.noticed).toBeGreaterThan(0)
    // The key was verified at the moment of the alert, although the end was told later.
    expect(outcome.healed).toBe(outcome.noticed)
    expect(noticed).toEqual([10])
  })

  it('goes by the largest of several alerts, and adds up what was written', async () => {
    const outcome = await watch(() => {
      log({ event: 'data_loss', incident: 1, cause: 'deletion', keys_lost: 1 })
      log({ event: 'data_loss', incident: 2, cause: 'swapdb', keys_lost: 9 })
      log({ event: 'healed', incident: 2, keys: 10, samples: 40 })
      log({ event: 'data_loss', incident: 3, cause: 'deletion', keys_lost: 1 })
      log({ event: 'healed', incident: 3, keys: 1, samples: 2 })
    })
    expect(outcome).toMatchObject({ cause: 'swapdb', keys: 10, values: 42 })
  })

  it('believes that all is healed only when every key is there', async () => {
    lacking = [['ohlcv:X:m1']]
    const outcome = await watch(() => {
      log({ event: 'data_loss', incident: 1, cause: 'eviction', keys_lost: 1 })
      log({ event: 'healed', incident: 1, keys: 1, samples: 1 })
      log({ event: 'healed', incident: 1, keys: 3, samples: 1 })
    })
    expect(outcome).toMatchObject({ keys: 3, values: 2 })
  })

  it('names no cause for the first look', async () => {
    const outcome = await watch(() => {
      log({ event: 'data_loss', incident: 1, cause: 'unknown', keys_lost: 1, evidence: { first_look: true } })
      log({ event: 'healed', incident: 1 })
    })
    expect(outcome.cause).toBeUndefined()
  })

  it('fails if the daemon ends, or the deed does', async () => {
    const failing: Deed['act'] = async () => {
      throw new Error('connection refused')
    }
    await expect(watchIncident(journal, deed(failing))).rejects.toThrow('connection refused')
    await expect(watch(() => journal.fail(new Error('it ended')))).rejects.toThrow('it ended')
  })

  function watch(act: () => void) {
    return watchIncident(
      journal,
      deed(async () => {
        const since = performance.now()
        setImmediate(act)
        return since
      }),
    )
  }

  function deed(act: Deed['act']): Deed {
    return { act, onLoss: (keys) => void noticed.push(keys), findLacking: async () => lacking.shift() ?? [] }
  }

  function log(event: object): void {
    const loss = { keys_incomplete: {}, symbols_lost: 1, evidence: {} }
    const heal = { keys: 0, symbols: 1, samples: 0, fields: 0, time_to_detect_ms: 0, time_to_heal_ms: 60_000 }
    journal.add(JSON.stringify({ time: '', level: 'info', msg: '', ...loss, ...heal, ...event }))
  }
})
