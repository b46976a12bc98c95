import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Whether certificates can be made here. Node makes keys, but no X.509. */
export const hasOpenssl = spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0
if (!hasOpenssl) console.log('openssl was not found: the tests of TLS are SKIPPED.')

/** Names of files in PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** Makes a CA in `folder`. */
export function makeCa(folder: string, name: string): Certificate {
  const ca = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) }
  openssl('req', '-x509', ...NEW_KEY, '-keyout', ca.key, '-out', ca.cert, '-subj', `/CN=${name}`, '-days', '2')
  return ca
}

/** Makes a certificate that `ca` has signed, for these `subjectAltName`s; of -1 days, one that has expired. */
export function issue(folder: string, name: string, ca: Certificate, { names = '', days = 2 } = {}): Certificate {
  const path = (end: string): string => join(folder, `${name}.${end}`)
  openssl('req', '-new', ...NEW_KEY, '-keyout', path('key'), '-out', path('csr'), '-subj', `/CN=${name}`)
  writeFileSync(path('ext'), names && `subjectAltName=${names}\n`)
  const from = ['-in', path('csr'), '-CA', ca.cert, '-CAkey', ca.key, '-CAcreateserial', '-extfile', path('ext')]
  openssl('x509', '-req', ...from, '-days', String(days), '-out', path('pem'))
  return { cert: path('pem'), key: path('key') }
}

/** Puts other contents in the files of a certificate, as a renewal does. */
export function renew({ cert, key }: Certificate, by: Certificate): void {
  writeFileSync(cert, readFileSync(by.cert))
  writeFileSync(key, readFileSync(by.key))
}
