import type { Config } from '../config/schema.js'
import { classesOf } from '../datasets/classes.js'
import { classifier } from '../decide/classes.js'
import { risksOf } from '../decide/risks.js'
import { shadowedClasses } from '../decide/risks-classes.js'
import { type FunctionFacts, type KeysAtStake, otherDatabases, type ServerState } from '../decide/risks-facts.js'
import type { Risk } from '../model.js'
import type { Wire } from '../redis/wire.js'
import { readAccess } from './access.js'
import { readBackups } from './backups.js'
import { type Census, takeCensus } from './census.js'
import { readServer, type Unchecked } from './facts.js'
import { functionFacts, readFunctions } from './functions.js'
import { goneClasses } from './gone.js'
import { readHost } from './host.js'
import type { CountOptions } from './inventory.js'
import { stakeOf } from './inventory.js'
import { type Fate, fatesOf } from './recoverability.js'
import { readReplicas } from './replicas.js'

export interface Diagnosis {
  readonly at: number
  readonly version: string | undefined
  readonly server: ServerState
  /** Who we are to Redis. */
  readonly user: string
  /** Undefined where keys may not be listed. */
  readonly census: Census | undefined
  readonly fates: readonly Fate[]
  readonly otherDatabases: readonly { readonly database: number; readonly keys: number }[]
  /** Undefined where there are none, or nobody tells. */
  readonly functions: FunctionFacts | undefined
  readonly risks: readonly Risk[]
  readonly unchecked: readonly Unchecked[]
}

/** Looks at everything that decides whether the data of this Redis would come back, with little load on it. Writes nothing. */
export async function examine(
  wire: Wire,
  config: Config,
  options: Pick<CountOptions, 'signal' | 'limits' | 'onStep'> = {},
): Promise<Diagnosis> {
  const at = Date.now()
  const { state, info, unchecked } = await readServer(wire)
  const access = await readAccess(wire, config.redis.url)
  const [{ replicas, unchecked: silent }, backups, host] = await Promise.all([
    readReplicas(info, config.redis.url),
    readBackups(config, at),
    readHost(info, state.dir, config.backup.dir),
  ])
  const classes = classesOf(config)
  const shadowed = shadowedClasses(classes)
  const counted = await takeCensus(wire, classifier(classes), options)
  const census = 'classes' in counted ? counted : undefined
  const declared = config.keys.filter((each) => !shadowed.some(({ later }) => later === each))
  // Where keys may not be listed, any may be at stake.
  const stake: KeysAtStake = census
    ? stakeOf(census, declared)
    : { ...stakeOf(undefined, declared), unclassified: state.keys ?? 0, expiring: (state.expires ?? 0) > 0 }
  const { trouble } = backups
  const { libraries, unchecked: untold } = await readFunctions(wire)
  const functions = functionFacts(libraries, backups.newest)
  const gone = census ? goneClasses(declared, census, backups.all, wire.database) : []
  const known = { access: access.access, backups: backups.facts, host, replicas, gone, shadowed, functions }
  return {
    at,
    version: info.get('redis_version'),
    server: state,
    user: access.user,
    census,
    fates: census ? fatesOf(census, backups.newest, wire.database) : [],
    otherDatabases: otherDatabases(info, wire.database),
    functions,
    risks: risksOf({ at, server: state, stake, ...known }),
    unchecked: [
      ...unchecked,
      ...access.unchecked,
      ...('classes' in counted ? counted.unchecked : [counted]),
      ...untold,
      ...silent,
      ...(trouble ? [{ what: 'backups', why: `${trouble.message}: ${trouble.hint}`, grant: '' }] : []),
      ...(host ? [] : [ELSEWHERE]),
    ],
  }
}

const ELSEWHERE: Unchecked = {
  what: 'the machine: vm.overcommit_memory, free memory, and what the data directory lies on',
  why: 'the server does not run on this machine, or its process cannot be seen; run rekindle doctor beside it',
  grant: '',
}
