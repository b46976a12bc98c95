import { once } from 'node:events'
import type { Subscription } from 'rxjs'
import { serverName } from '../config/redact.js'
import type { Config } from '../config/schema.js'
import { guardRedis } from '../daemon/daemon.js'
import { datasetsOf } from '../datasets/index.js'
import { openLog } from '../report/log.js'
import { version } from '../version.js'

/** Runs the daemon until SIGTERM or SIGINT, which ends what is under way; a second signal ends it at once. Returns the exit status. */
export async function watch(config: Config): Promise<number> {
  const { emit } = openLog(config.log.level)
  emit({
    event: 'starting',
    version,
    redis: serverName(config.redis.url),
    postgres: serverName(config.postgres.url),
    layout: config.candles?.layout,
    datasets: datasetsOf(config).map(({ name }) => name),
  })
  const subscription: Subscription = guardRedis(config, emit).subscribe()
  const signal = await Promise.race(['SIGTERM', 'SIGINT'].map((name) => once(process, name).then(() => name)))
  emit({ event: 'stopping', signal })
  process.once('SIGTERM', () => process.exit(1))
  process.once('SIGINT', () => process.exit(1))
  subscription.unsubscribe()
  return 0
}
