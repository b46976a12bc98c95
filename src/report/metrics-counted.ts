/** What happened: counters and histograms, fed event by event. */

import { Counter, Histogram, type Registry } from 'prom-client'
import type { Emit, LogEvent } from './events.js'
import { datasetKind, oneOf } from './metrics-labels.js'

const CAUSES = [
  'flush',
  'swapdb',
  'restart',
  'replacement',
  'failover',
  'eviction',
  'deletion',
  'corruption',
  'unknown',
] as const
const STAGES = ['take', 'after', 'prune', 'drill'] as const
const DATASETS = ['candles', 'indicators', 'rows'] as const
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

export interface Counting {
  /** Counts an event. Never throws. */
  readonly observe: Emit
  /** Counts an alert that the webhook took, or that was dropped. */
  readonly delivered: (result: 'delivered' | 'dropped') => void
}

type EventOf<Name extends LogEvent['event']> = Extract<LogEvent, { event: Name }>
type Counts = { readonly [Name in LogEvent['event']]?: (event: EventOf<Name>) => void }

/** Adds the counters and histograms to the registry; all that can be counted stands at 0 from the start, so that rates are right. */
export function countEvents(registry: Registry): Counting {
  const counts: Counts = { ...lossCounts(registry), ...changeCounts(registry), ...keepingCounts(registry) }
  const observe: Emit = (event) => (counts[event.event] as ((event: LogEvent) => void) | undefined)?.(event)
  const alerts = counter(
    registry,
    'rekindle_webhook_alerts_total',
    'Alerts that the webhook took, or that were dropped.',
    {
      result: ['delivered', 'dropped'],
    },
  )
  return { observe, delivered: (result) => alerts.inc({ result }) }
}

function lossCounts(registry: Registry): Counts {
  const losses = counter(
    registry,
    'rekindle_losses_total',
    'Confirmed losses of data, by cause; of an incident, each one.',
    { cause: CAUSES },
  )
  const incidents = counter(
    registry,
    'rekindle_incidents_total',
    'Incidents that were alerted: losses that come one upon the other are one.',
  )
  const unwanted = counter(
    registry,
    'rekindle_unwanted_keys_total',
    'Lost keys that did not come back, since PostgreSQL no longer wants them.',
  )
  const lost = counter(registry, 'rekindle_lost_keys_total', 'Keys that were gone when a loss was confirmed.')
  const detect = histogram(registry, 'rekindle_time_to_detect_seconds', 'From a loss to its alert.')
  const heal = histogram(registry, 'rekindle_time_to_heal_seconds', 'From a loss to the last key verified.')
  const healed = counter(registry, 'rekindle_healed_total', 'Losses that are over: everything is back and verified.')
  const keys = counter(
    registry,
    'rekindle_written_keys_total',
    'Keys written to heal losses, as `healed` tells. Mended drift, changes and new symbols are not among them.',
  )
  const samples = counter(
    registry,
    'rekindle_written_samples_total',
    'Samples of series written, by what made it needed: a loss or a change. Mended drift and new symbols are not among them.',
    WHY,
  )
  const fields = counter(
    registry,
    'rekindle_written_fields_total',
    'Fields and values written, by what made it needed: a loss or a change. Mended drift and new symbols are not among them.',
    WHY,
  )
  const superseded = counter(
    registry,
    'rekindle_superseded_values_total',
    'Values left alone while healing, since a live writer had changed them.',
  )
  const survey = histogram(registry, 'rekindle_survey_duration_seconds', 'How long a look at symbols took.', {
    scope: ['all', 'some'],
  })
  const [sync, loss] = [{ why: 'sync' }, { why: 'loss' }]
  const syncs = counter(registry, 'rekindle_syncs_total', 'Changes in PostgreSQL that reached Redis.', {
    dataset: DATASETS,
  })
  const latency = histogram(
    registry,
    'rekindle_sync_latency_seconds',
    'From the notice of a change in PostgreSQL to its value verified in Redis.',
  )
  const counted = ({ cause, keys_lost, time_to_detect_ms }: EventOf<'data_loss' | 'loss_joined'>): void => {
    losses.inc({ cause: oneOf(cause, CAUSES) })
    lost.inc(keys_lost)
    detect.observe(seconds(time_to_detect_ms))
  }
  return {
    data_loss: (event) => {
      counted(event)
      incidents.inc()
    },
    loss_joined: counted,
    healed: (event) => {
      healed.inc(event.losses)
      unwanted.inc(event.keys_unwanted)
      heal.observe(seconds(event.time_to_heal_ms))
      keys.inc(event.keys)
      samples.inc(loss, event.samples)
      fields.inc(loss, event.fields)
      superseded.inc(event.superseded)
    },
    surveyed: ({ symbols, took_ms }) => survey.observe({ scope: symbols === 'all' ? 'all' : 'some' }, seconds(took_ms)),
    sync: (event) => {
      syncs.inc({ dataset: datasetKind(event.dataset) })
      samples.inc(sync, event.samples)
      fields.inc(sync, event.fields)
      latency.observe(seconds(event.latency_ms))
    },
  }
}

const WHY = { why: ['loss', 'sync'] }

function changeCounts(registry: Registry): Counts {
  const dataset = { dataset: DATASETS }
  const drift = counter(
    registry,
    'rekindle_drift_keys_total',
    'Keys that were found to differ from PostgreSQL without any sign of a loss. What mends them is not counted.',
    dataset,
  )
  const gaps = counter(registry, 'rekindle_listener_gaps_total', 'Times at which changes may have been missed.')
  const deaf = counter(registry, 'rekindle_listener_deaf_seconds_total', 'For how long changes may have been missed.')
  const foreign = counter(
    registry,
    'rekindle_foreign_notifications_total',
    'Notifications on the channel that were not ours.',
  )
  const leftOut = counter(
    registry,
    'rekindle_left_out_values_total',
    'Values that PostgreSQL holds but Redis cannot: NULL, NaN, infinity.',
    dataset,
  )
  return {
    drift: (event) => drift.inc({ dataset: datasetKind(event.dataset) }, event.keys_drifted),
    gap: ({ deaf_for_ms }) => {
      gaps.inc()
      deaf.inc(seconds(deaf_for_ms))
    },
    foreign_notifications: ({ count }) => foreign.inc(count),
    left_out: (event) => leftOut.inc({ dataset: datasetKind(event.dataset) }, event.values),
  }
}

function keepingCounts(registry: Registry): Counts {
  const taken = counter(registry, 'rekindle_backups_taken_total', 'Backups taken and checked.')
  const failures = counter(registry, 'rekindle_backup_failures_total', 'Failures about backups, by stage.', {
    stage: STAGES,
  })
  const proofs = counter(
    registry,
    'rekindle_backup_proofs_total',
    'Backups that were booted and hold what they should.',
  )
  const aside = counter(
    registry,
    'rekindle_kept_aside_total',
    'Files of Redis linked aside before they were replaced.',
    {
      what: ['rdb', 'aof'],
    },
  )
  const recovered = counter(registry, 'rekindle_recovered_keys_total', 'Lost keys brought back from a backup.')
  const kept = counter(
    registry,
    'rekindle_recovered_keys_kept_total',
    'Keys of a backup left alone, since they stood in Redis already.',
  )
  const failed = counter(registry, 'rekindle_recovery_failures_total', 'Recoveries from a backup that failed.')
  return {
    backup: () => taken.inc(),
    backup_failed: ({ stage }) => failures.inc({ stage: oneOf(stage, STAGES) }),
    drill: () => proofs.inc(),
    kept_aside: ({ what }) => aside.inc({ what: oneOf(what, ['rdb', 'aof']) }),
    keys_recovered: (event) => {
      recovered.inc(event.keys)
      kept.inc(event.kept)
    },
    recover_failed: () => failed.inc(),
  }
}

/** At most one label, and all its values. */
type Labels = Readonly<Record<string, readonly string[]>>

function counter(registry: Registry, name: string, help: string, labels: Labels = {}): Counter {
  const made = new Counter({ name, help, labelNames: Object.keys(labels), registers: [registry] })
  for (const [label, values] of Object.entries(labels)) for (const value of values) made.inc({ [label]: value }, 0)
  return made
}

function histogram(registry: Registry, name: string, help: string, labels: Labels = {}): Histogram {
  const made = new Histogram({ name, help, buckets: SECONDS, labelNames: Object.keys(labels), registers: [registry] })
  for (const [label, values] of Object.entries(labels)) for (const value of values) made.zero({ [label]: value })
  return made
}

/** A clock that was set back must not break what is counted. */
function seconds(ms: number): number {
  return Math.max(0, ms / 1_000)
}
