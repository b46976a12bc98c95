import { isAbsolute } from 'node:path'

/** Where the server listens: `http.listen` taken apart. */
export type Address = { readonly path: string } | { readonly host: string; readonly port: number }

/** Reads `host:port`, `[address]:port` or the absolute name of a socket, as the configuration has checked them. */
export function readAddress(listen: string): Address {
  if (isAbsolute(listen)) return { path: listen }
  const colon = listen.lastIndexOf(':')
  return { host: listen.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(listen.slice(colon + 1)) }
}

/** True if only this machine can connect. */
export function isLoopback(address: Address): boolean {
  return 'path' in address || /^(localhost|127(\.\d+){3}|::1|(0*:)*0*1)$/i.test(address.host)
}
