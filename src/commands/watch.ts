import { once } from 'node:events'
import type { Subscription } from 'rxjs'
import { serverName } from '../config/redact.js'
import type { Config } from '../config/schema.js'
import { readSupervisor } from '../config/supervisor.js'
import { type GuardOptions, guardRedis } from '../daemon/daemon.js'
import { datasetsOf } from '../datasets/index.js'
import type { Emit, LogEvent } from '../report/events.js'
import { Liveness, livenessLimit } from '../report/liveness.js'
import { openLog } from '../report/log.js'
import { Systemd } from '../report/systemd.js'
import { version } from '../version.js'
import type { Surroundings } from './command.js'
import { concernsGuarding, Reloader, Underway } from './reload.js'

/**
 * Runs the daemon until SIGTERM or SIGINT, which ends what is under way; a second signal ends it at once. SIGHUP reads the
 * configuration again. Returns the exit status.
 */
export async function watch(config: Config, { env, load }: Surroundings): Promise<number> {
  const ending = Promise.race(['SIGTERM', 'SIGINT'].map((name) => once(process, name).then(() => name)))
  const log = openLog(config.log.level)
  const underway = new Underway()
  const liveness = new Liveness(livenessLimit(config.watch.poll))
  const observers: Emit[] = [log.emit, underway.take, liveness.take]
  const emit: Emit = (event) => {
    for (const observe of observers) observe(event)
  }
  const systemd = openSystemd(env, liveness, emit)
  if (systemd instanceof Systemd) observers.push(systemd.take)
  // The other commands start sooner without what only the daemon needs.
  const { openOutlets } = await import('../serve/outlets.js')
  const outlets = openOutlets(config, version, emit, () => liveness.stuckFor)
  observers.push(outlets.observe)
  emit(starting(config))
  if (typeof systemd === 'string') emit(inherited(systemd))

  const options: GuardOptions = { onSign: liveness.sign, memory: {}, beginWork: underway.begin }
  let guarding: Subscription = guardRedis(config, emit, options).subscribe()
  const reloader = new Reloader({
    config,
    load,
    emit,
    underway,
    follow: (next, changed) => {
      if (changed.includes('log')) log.logger.level = next.log.level
      outlets.follow(next)
      if (!concernsGuarding(changed)) return
      // One after the other: two daemons would each write what the other is about to.
      guarding.unsubscribe()
      liveness.limit = livenessLimit(next.watch.poll)
      guarding = guardRedis(next, emit, options).subscribe()
    },
  })
  const forget = onHangUp(() => {
    if (systemd instanceof Systemd) systemd.reloading()
    return reloader.reload()
  })
  const signal = await ending
  forget()
  process.once('SIGTERM', () => process.exit(1))
  process.once('SIGINT', () => process.exit(1))
  emit({ event: 'stopping', signal })
  guarding.unsubscribe()
  await outlets.close()
  return 0
}

function starting(config: Config): LogEvent {
  return {
    event: 'starting',
    version,
    redis: serverName(config.redis.url),
    postgres: serverName(config.postgres.url),
    layout: config.candles?.layout,
    datasets: datasetsOf(config).map(({ name }) => name),
  }
}

/** The observer that tells systemd; undefined without systemd, and why not where it is not ours to tell. */
function openSystemd(env: NodeJS.ProcessEnv, liveness: Liveness, emit: Emit): Systemd | string | undefined {
  const supervisor = readSupervisor(env)
  return typeof supervisor === 'object' ? new Systemd({ ...supervisor, liveness, emit }) : supervisor
}

function inherited(reason: string): LogEvent {
  const hint = 'have ExecStart= run rekindle itself, not a shell around it'
  return { event: 'degraded', what: 'systemd', code: 'not_ours', reason, hint, since_ms: 0 }
}

/** Calls at SIGHUP, which on a terminal means that the terminal is gone and still ends the process. */
function onHangUp(act: () => Promise<void>): () => void {
  if (process.stdout.isTTY) return () => undefined
  const onSignal = (): void => void act()
  process.on('SIGHUP', onSignal)
  return () => void process.off('SIGHUP', onSignal)
}
