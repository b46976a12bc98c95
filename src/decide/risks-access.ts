/** Findings about who may come in, and who may empty everything. */

import type { Risk } from '../model.js'
import { ownsData } from './risks-acl.js'
import { isAtStake, type RiskFacts, type ServerState } from './risks-facts.js'
import { sayNames } from './risks-words.js'

export function* accessRisks({ server, stake, access }: RiskFacts): Generator<Risk> {
  if (!access) return
  const { users, open } = access
  const flushers = users.filter(({ flushes }) => flushes).map(({ name }) => name)
  const writers = users.filter(({ flushes, writes }) => flushes || writes)
  // An administrator may; it is a mishap waiting to happen where everybody may who works with the data.
  if (flushers.length > 0 && (flushers.length === writers.length || (open && flushers.includes('default')))) {
    const that = writers.length === users.length ? '' : ' that may write'
    const who =
      writers.length === 1 ? `the only user${that}, ${flushers[0]}` : `every user${that} (${sayNames(flushers)})`
    yield {
      code: 'flush_open',
      severity: isAtStake(stake) ? 'risk' : 'note',
      message: `FLUSHALL and FLUSHDB are open to ${flushers.length === writers.length ? who : 'anybody, as the user default'}.`,
      mend: `${flushers.length === 1 ? `ACL SETUSER ${flushers[0]}` : 'for each that need not: ACL SETUSER <user>'} -flushall -flushdb, then ${toKeep(server)}`,
    }
  }
  // Without their list, whoever came in unasked is taken for one who may do everything.
  const anybody = users.find(({ name }) => name === 'default')
  if (!open || anybody?.powers.length === 0) return
  const may = !anybody || ownsData(anybody.powers) ? 'owns the data' : `may use ${sayNames(anybody.powers)}`
  const local = isLocal(server)
  yield {
    code: 'no_password',
    severity: local ? 'note' : 'risk',
    message: local
      ? `No password is needed; ${local}.`
      : `No password is needed, and other machines may connect: whoever reaches the port ${may}.`,
    mend: `ACL SETUSER default resetpass '>a long password', then ${toKeep(server)}`,
  }
}

/** What makes a change of users last through a restart. */
function toKeep({ aclFile, configFile }: ServerState): string {
  if (aclFile) return 'ACL SAVE'
  return configFile ? 'CONFIG REWRITE' : 'the same in its aclfile or redis.conf'
}

/** Why nobody from elsewhere gets in, if so. */
function isLocal({ bind, protectedMode }: ServerState): string | undefined {
  const addresses = bind?.split(/\s+/).filter(Boolean) ?? []
  const isLoopback = (address: string): boolean => /^-?(127\.\d+\.\d+\.\d+|::1|localhost)$/.test(address)
  if (addresses.length > 0 && addresses.every(isLoopback)) return 'it listens on this machine only'
  return protectedMode ? 'protected mode turns other machines away' : undefined
}
