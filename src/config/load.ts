/** Finds, reads and checks the configuration. Nothing outside this folder reads files or the environment. */

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseConfig } from './document.js'
import { firstError } from './mistakes.js'
import { readPostgresUrl } from './postgres-url.js'
import { configError } from './problem.js'
import { type Config, configSchema } from './schema.js'
import { withEnvironment } from './variables.js'

export interface LoadOptions {
  /** The file of `--config`; it must exist. */
  file?: string | undefined
  env: NodeJS.ProcessEnv
  /** Where relative names start; the working directory unless given. */
  cwd?: string
}

/** Looked for in this order when no file is named. */
export const PLACES: readonly string[] = ['config/rekindle.yaml', '/etc/rekindle/rekindle.yaml']

/**
 * The file named, else that of REKINDLE_CONFIG, else the first of the usual places, else the defaults; then the environment.
 * @throws ConfigError for the first mistake.
 */
export function loadConfig({ file, env, cwd = process.cwd() }: LoadOptions): Config {
  const { source, text } = readConfigFile(file, env, cwd)
  const document = parseConfig(source, text)
  const { raw, setters } = withEnvironment(document.raw, env, cwd)
  const result = configSchema.safeParse(raw, { reportInput: true })
  const { PGSERVICE } = env
  if (result.success) {
    const isGiven = setters.has('postgres.url') || document.positionOf(['postgres', 'url']) < Infinity
    // libpq would take the server from it, and nobody would notice that we do not.
    if (PGSERVICE && !(isGiven && readPostgresUrl(result.data.postgres.url)?.host))
      throw configError('PGSERVICE', 'is set, which is not supported yet; DATABASE_URL should name the server')
    return result.data
  }
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
