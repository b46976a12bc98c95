/** Finds, reads and checks the configuration. Nothing outside this folder reads files or the environment. */

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseConfig } from './document.js'
import { firstError } from './mistakes.js'
import { configError } from './problem.js'
import { type Config, configSchema } from './schema.js'

export interface LoadOptions {
  /** The file of `--config`; it must exist. */
  file?: string | undefined
  env: NodeJS.ProcessEnv
  /** Where relative names start; the working directory unless given. */
  cwd?: string
}

/** Looked for in this order when no file is named. */
export const PLACES: readonly string[] = ['config/rekindle.yaml', '/etc/rekindle/rekindle.yaml']

/** Variables that win over the file, and the keys that they set. */
const VARIABLES = [
  ['REDIS_URL', 'redis', 'url'],
  ['DATABASE_URL', 'postgres', 'url'],
  ['LOG_LEVEL', 'log', 'level'],
] as const

/**
 * The file named, else that of REKINDLE_CONFIG, else the first of the usual places, else the defaults; then the environment.
 * @throws ConfigError for the first mistake.
 */
export function loadConfig({ file, env, cwd = process.cwd() }: LoadOptions): Config {
  const { source, text } = readConfigFile(file, env, cwd)
  const document = parseConfig(source, text)
  const { raw, setters } = withEnvironment(document.raw, env)
  const result = configSchema.safeParse(raw, { reportInput: true })
  if (result.success) return result.data
  const origin = {
    sourceOf: (path: readonly string[]) => setters.get(path.join('.')) ?? source,
    positionOf: (path: readonly string[]) => (setters.has(path.join('.')) ? Infinity : document.positionOf(path)),
  }
  throw firstError(result.error.issues, origin, configSchema.parse({}))
}

function readConfigFile(
  file: string | undefined,
  env: NodeJS.ProcessEnv,
  cwd: string,
): { source: string; text: string } {
  const { REKINDLE_CONFIG } = env
  const named = file ?? (REKINDLE_CONFIG || undefined)
  for (const source of named === undefined ? PLACES : [named]) {
    const text = readText(source, cwd)
    if (text !== undefined) return { source, text }
  }
  if (named === undefined) return { source: 'defaults', text: '' }
  const giver = file === undefined ? 'REKINDLE_CONFIG' : '--config'
  throw configError(giver, `${JSON.stringify(named)} does not exist; it should be a YAML file`)
}

/** Undefined where there is no such file. One that is there but cannot be read must not pass for the defaults. */
function readText(source: string, cwd: string): string | undefined {
  try {
    // An empty name would resolve to the folder itself.
    return readFileSync(source && resolve(cwd, source), 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw configError(source, `cannot be read (${code}); it should be a file that this user may read`)
  }
}

/** The file's data with the environment over it, and which variable set which key. An empty variable counts as unset. */
function withEnvironment(raw: unknown, env: NodeJS.ProcessEnv): { raw: unknown; setters: Map<string, string> } {
  const setters = new Map<string, string>()
  const merged: unknown = structuredClone(raw ?? {})
  for (const [variable, section, key] of VARIABLES) {
    const value = env[variable]
    // What is no mapping stays as it is, to be complained of.
    if (!value || !isMapping(merged)) continue
    const own = merged[section] ?? {}
    if (!isMapping(own)) continue
    merged[section] = { ...own, [key]: value }
    setters.set(`${section}.${key}`, variable)
  }
  return { raw: merged, setters }
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
