import { setTimeout as delay } from 'node:timers/promises'

/** Asks `condition` every 5 ms until it gives something truthy, and returns that; rejects after `timeout` ms, 10 s by default. */
export async function until<Value>(
  condition: () => Value | Promise<Value>,
  { timeout = 10_000, what = String(condition) }: { timeout?: number; what?: string } = {},
): Promise<NonNullable<Value>> {
  const deadline = performance.now() + timeout
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > deadline) throw new Error(`not so within ${timeout} ms: ${what}`)
    await delay(5)
  }
}
