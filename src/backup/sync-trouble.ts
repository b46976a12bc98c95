import { Trouble } from '../errors.js'

const RIGHTS = 'grant it to the user of redis.url: ACL SETUSER <user> +sync +replconf'

/** Says what an error means that comes of asking for a snapshot; `otherwise` is what it means anywhere. */
export function syncTrouble(error: unknown, otherwise: Trouble): Trouble {
  const said = error instanceof Error ? error.message : String(error)
  const { message } = otherwise
  if (said.startsWith('NOPERM')) return new Trouble('redis_refused', message, RIGHTS, false)
  if (/NOMASTERLINK/.test(said)) {
    const hint = said.includes('failing over')
      ? 'wait until the failover is over'
      : 'it is a replica without its primary: wait until it is in sync, or point redis.url at the primary'
    return new Trouble('redis_busy', message, hint, true)
  }
  if (/unknown command/i.test(said)) {
    const hint = 'this server does not let anyone take a snapshot: use the snapshots of its provider'
    return new Trouble('redis_refused', message, hint, false)
  }
  if (/BGSAVE failed|replication can't continue/.test(said)) {
    const hint = 'look at its log: too little memory to fork (vm.overcommit_memory = 1 helps), or its disk is full'
    return new Trouble('redis_busy', message, hint, true)
  }
  return otherwise
}
