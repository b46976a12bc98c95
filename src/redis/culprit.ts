import { listClients } from './clients.js'
import type { Wire } from './wire.js'

/** Commands that can take everything at once. */
const WHOLESALE = /^(flushall|flushdb|swapdb)(\||$)/

/**
 * The client whose last command was a FLUSHALL, FLUSHDB or SWAPDB, if it is still connected and CLIENT LIST is allowed: address,
 * name, user and command.
 */
export async function findCulprit(probe: Wire): Promise<Record<string, string> | undefined> {
  try {
    const clients = await listClients(probe)
    const suspects = clients.filter(({ cmd }) => WHOLESALE.test(cmd ?? ''))
    const latest = suspects.sort((a, b) => Number(a['idle']) - Number(b['idle']))[0]
    if (!latest) return undefined
    const { addr = '', name = '', user = '', cmd = '' } = latest
    return { addr, name, user, cmd }
  } catch {
    // Evidence only: without the permission the alert is as right, just less telling.
    return undefined
  }
}
