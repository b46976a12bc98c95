import type { ServerFacts } from '../model.js'

/** Reads the text of INFO (`name:value` lines) into a map. */
export function parseInfo(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0 && line[0] !== '#') fields.set(line.slice(0, colon), line.slice(colon + 1).trimEnd())
  }
  return fields
}

/** Picks out of INFO, INFO commandstats and CONFIG GET dir and appendfsync what can serve as evidence. `at` is when they were read. */
export function serverFacts(
  info: string,
  commandstats: string | undefined,
  directory: string | undefined,
  at: number,
  appendfsync?: string,
): ServerFacts {
  const fields = parseInfo(info)
  const number = (name: string): number | undefined => {
    const value = Number(fields.get(name) ?? Number.NaN)
    return Number.isFinite(value) ? value : undefined
  }
  const role = fields.get('role')
  const lastSave = number('rdb_last_save_time')
  const time = number('server_time_usec')
  const aof = fields.get('aof_enabled')
  return {
    at,
    time: time === undefined ? undefined : Math.floor(time / 1000),
    runId: fields.get('run_id'),
    version: fields.get('redis_version'),
    role: role === 'master' ? 'master' : role === 'slave' || role === 'replica' ? 'replica' : undefined,
    loading: fields.get('loading') === '1',
    cluster: fields.get('cluster_enabled') === '1',
    uptimeSeconds: number('uptime_in_seconds'),
    configFile: fields.get('config_file'),
    directory,
    replicationId: fields.get('master_replid'),
    previousReplicationId: fields.get('master_replid2'),
    aofEnabled: aof === undefined ? undefined : aof === '1',
    appendfsync,
    aofLastWriteStatus: fields.get('aof_last_write_status'),
    rdbLastSaveAt: lastSave === undefined ? undefined : lastSave * 1000,
    rdbChangesSinceSave: number('rdb_changes_since_last_save'),
    rdbLastStatus: fields.get('rdb_last_bgsave_status'),
    keysLoaded: number('rdb_last_load_keys_loaded'),
    evictedKeys: number('evicted_keys'),
    expiredKeys: number('expired_keys'),
    usedMemory: number('used_memory'),
    maxMemory: number('maxmemory'),
    maxMemoryPolicy: fields.get('maxmemory_policy'),
    calls: commandstats === undefined ? undefined : countCalls(parseInfo(commandstats)),
  }
}

function countCalls(stats: ReadonlyMap<string, string>): NonNullable<ServerFacts['calls']> {
  const calls = (command: string): number =>
    Number(/^calls=(\d+)/.exec(stats.get(`cmdstat_${command}`) ?? '')?.[1] ?? 0)
  return {
    flushall: calls('flushall'),
    flushdb: calls('flushdb'),
    swapdb: calls('swapdb'),
    del: calls('del'),
    unlink: calls('unlink'),
  }
}
