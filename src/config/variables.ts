/** What the environment sets, and the files that it names. */

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { configError } from './problem.js'

export interface Variable {
  readonly name: string
  /** The key that it sets. */
  readonly path: readonly string[]
  /** True where the value may also stand in a file that `<name>_FILE` names, as secrets of containers and systemd do. */
  readonly secret: boolean
}

/** Variables that win over the file. */
export const VARIABLES: readonly Variable[] = [
  { name: 'REDIS_URL', path: ['redis', 'url'], secret: true },
  { name: 'DATABASE_URL', path: ['postgres', 'url'], secret: true },
  { name: 'DATABASE_LISTEN_URL', path: ['postgres', 'listen_url'], secret: true },
  { name: 'ALERTS_WEBHOOK_URL', path: ['alerts', 'webhook', 'url'], secret: true },
  { name: 'ALERTS_WEBHOOK_SECRET', path: ['alerts', 'webhook', 'secret'], secret: true },
  { name: 'HTTP_LISTEN', path: ['http', 'listen'], secret: false },
  { name: 'LOG_LEVEL', path: ['log', 'level'], secret: false },
]

/** The names of all variables that set something, also those that name a file with it. */
export function variableNames(): string[] {
  return VARIABLES.flatMap(({ name, secret }) => (secret ? [name, `${name}_FILE`] : [name]))
}

/** The names of those whose value is a secret. */
export function secretVariables(): string[] {
  return VARIABLES.filter(({ secret }) => secret).map(({ name }) => name)
}

/**
 * The file's data with the environment over it, and which variable set which key. An empty variable counts as unset.
 * @throws ConfigError if a variable and its `_FILE` are both set, or the file cannot be read or is empty.
 */
export function withEnvironment(
  raw: unknown,
  env: NodeJS.ProcessEnv,
  cwd: string,
): { raw: unknown; setters: Map<string, string> } {
  const setters = new Map<string, string>()
  const merged: unknown = structuredClone(raw ?? {})
  for (const variable of VARIABLES) {
    const given = givenFor(variable, env, cwd)
    if (given && put(merged, variable.path, given.value)) setters.set(variable.path.join('.'), given.setter)
  }
  return { raw: merged, setters }
}

function givenFor(
  { name, secret }: Variable,
  env: NodeJS.ProcessEnv,
  cwd: string,
): { value: unknown; setter: string } | undefined {
  const value = env[name]
  const setter = `${name}_FILE`
  const file = secret ? env[setter] : undefined
  if (value && file) throw configError(setter, `${name} is set, too; it should be one of them`)
  if (file) return { value: readSecret(setter, name, file, cwd), setter }
  if (!value) return undefined
  return { value: name === 'HTTP_LISTEN' && value === 'false' ? false : value, setter: name }
}

function readSecret(setter: string, name: string, given: string, cwd: string): string {
  const file = resolve(cwd, given)
  // Without a slash it may be the secret itself.
  const shown = given.includes('/') ? JSON.stringify(file) : 'what it names'
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw configError(setter, `${shown} cannot be read (${code}); it should be a file that holds ${name}`)
  }
  // Editors and `echo` end a file with a newline that is no part of the secret.
  const value = text.replace(/\r?\n$/, '')
  if (value === '') throw configError(setter, `${shown} is empty; it should hold ${name}`)
  return value
}

/** Sets a key; false where something on the way is no mapping, which stays as it is, to be complained of. */
function put(root: unknown, path: readonly string[], value: unknown): boolean {
  let mapping = root
  for (const key of path.slice(0, -1)) {
    if (!isMapping(mapping)) return false
    mapping[key] ??= {}
    mapping = mapping[key]
  }
  if (!isMapping(mapping)) return false
  mapping[path.at(-1) ?? ''] = value
  return true
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
