/**
 * Keeps pages of other sites from reading ours through the browser of somebody on this machine: by DNS rebinding such a page gives
 * its own name an address of loopback. It cannot help sending that name as `Host`.
 */

import { isIP } from 'node:net'
import { type Address, isLoopback } from './address.js'

/**
 * Which values of the header `Host` are answered. An address is never the name of another site, so it is always right: probes of
 * Kubernetes send that of the pod. Beyond loopback and on a Unix socket, any name is: only who runs it knows its names.
 */
export function hostCheck(address: Address): (host: string | undefined) => boolean {
  if ('path' in address || !isLoopback(address)) return () => true
  return (host) => {
    // Of no browser: HTTP/1.0, and programs that leave it out.
    if (host === undefined || host === '') return true
    const name = host.replace(/:\d*$/, '').replace(/^\[|\]$/g, '')
    return isIP(name) !== 0 || /^([\w-]+\.)*localhost\.?$/i.test(name)
  }
}
