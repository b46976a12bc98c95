/** What must never be shown, whatever it stands in: the text of others holds it in shapes that no rule foresees. */

import { redactUrl } from './redact.js'
import type { Config } from './schema.js'
import { splitUrl } from './url.js'
import { secretVariables, variableNames } from './variables.js'

/** Passwords that programs of PostgreSQL and Redis take from the environment. */
const OF_OTHERS = ['PGPASSWORD', 'REDISCLI_AUTH']

/** The environment for a program of somebody else's: without what is ours, and without passwords of the servers. */
export function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const ours = new Set([...variableNames(), ...OF_OTHERS])
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ours.has(name)))
}

/** The secrets of the configuration and the environment, longest first. */
export function secretsOf({ redis, postgres, alerts }: Config, env: NodeJS.ProcessEnv): string[] {
  const { url, secret } = alerts.webhook
  const all = [
    ...[...secretVariables(), ...OF_OTHERS].map((name) => env[name]),
    ...[redis.url, postgres.url, postgres.listen_url ?? ''].flatMap((server) => passwordsIn(server)),
    // The path of a webhook is all that keeps others from posting there.
    ...(url === undefined ? [] : [url, splitUrl(url)?.rest.replace(/^\/$/, ''), ...passwordsIn(url)]),
    secret,
  ]
  return [...new Set(all.flatMap((each) => (each ? [each] : [])))].sort((a, b) => b.length - a.length)
}

/** The secrets of the environment, also of addresses that are none. */
export function secretsIn(env: NodeJS.ProcessEnv): string[] {
  const values = [...secretVariables(), ...OF_OTHERS].flatMap((name) => env[name] ?? [])
  return values
    .flatMap((value) => [value, ...passwordsIn(value), ...passwordsNear(value)])
    .filter((each) => each !== '')
}

/** What may be the password of an address that is not written rightly: all between the first colon of the user and the last @. */
function passwordsNear(url: string): string[] {
  const written = /^[a-z][\w+.-]*:[\\/]*[^:]*:(.*)@/is.exec(url)?.[1] ?? ''
  return [written, decode(written)]
}

/** The text with each of these replaced by `***`, and what {@link redactUrl} finds. */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  return redactUrl(secrets.reduce((masked, secret) => masked.replaceAll(secret, '***'), text))
}

/** The password of a URL, wherever in it, as written and as meant. */
function passwordsIn(url: string): string[] {
  const { user = '', params } = splitUrl(url) ?? {}
  const written = /^[^:]*:(.*)$/s.exec(user)?.[1] ?? ''
  const named = [...(params ?? [])].filter(([name]) => /pass|secret|token/i.test(name)).map(([, value]) => value)
  return [written, decode(written), ...named, ...named.map(encodeURIComponent)]
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // Then it is a secret as it stands.
    return text
  }
}
