import type { Risk } from '../model.js'
import { accessRisks } from './risks-access.js'
import { backupRisks, functionRisks } from './risks-backups.js'
import { classRisks } from './risks-classes.js'
import type { RiskFacts } from './risks-facts.js'
import { memoryRisks } from './risks-memory.js'
import { persistenceRisks } from './risks-persistence.js'
import { directoryRisks, replicaRisks } from './risks-replicas.js'

/**
 * What stands between the data and its loss, or its recovery, risks first; each code at most once. What is unknown gives no finding:
 * whoever gathers the facts must say what could not be read. Nothing is asked of a pure cache but that it can be written to.
 *
 * `standing`: codes of findings that stand already, so that one that hangs on a threshold does not flap.
 */
export function risksOf(facts: RiskFacts, standing: ReadonlySet<string> = new Set()): Risk[] {
  const risks = [
    ...classRisks(facts),
    ...persistenceRisks(facts),
    ...memoryRisks(facts, standing),
    ...directoryRisks(facts),
    ...replicaRisks(facts),
    ...backupRisks(facts),
    ...functionRisks(facts),
    ...accessRisks(facts),
  ]
  return [
    ...risks.filter(({ severity }) => severity === 'risk'),
    ...risks.filter(({ severity }) => severity === 'note'),
  ]
}
