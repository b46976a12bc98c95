import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { serverName } from '../config/redact.js'
import { writeWhole } from './files.js'
import { folderTrouble } from './folder-trouble.js'
import type { Manifest } from './manifest.js'

/** A backup that has its manifest. */
export interface Backup {
  /** The `.rdb` file, or the folder of an append-only file. */
  readonly path: string
  readonly manifest: Manifest
}

const SUFFIX = '.json'

const manifest: z.ZodType<Manifest> = z.object({
  version: z.literal(1),
  kind: z.enum(['rdb', 'aof']),
  source: z.string(),
  database: z.int(),
  run_id: z.string().nullable(),
  redis_version: z.string().nullable(),
  taken_at: z.iso.datetime(),
  took_ms: z.number(),
  bytes: z.number(),
  sha256: z.string(),
  checked: z.enum(['ok', 'unchecked']),
  modules: z.array(z.object({ name: z.string(), version: z.number(), path: z.string().exactOptional() })),
  keys: z
    .object({
      total: z.number(),
      expiring: z.number(),
      databases: z.record(z.string(), z.number()),
      functions: z.array(z.string()).exactOptional(),
      classes: z.array(
        z.object({
          match: z.string().nullable(),
          recovery: z.enum(['postgres', 'backup', 'itself']).nullable(),
          keys: z.number(),
          expiring: z.number(),
        }),
      ),
    })
    .nullable(),
  proof: z
    .object({
      at: z.iso.datetime(),
      ok: z.boolean(),
      took_ms: z.number(),
      keys: z.number(),
      redis_version: z.string(),
      differences: z.array(z.string()),
    })
    .nullable(),
})

/** Every backup of a folder that has a manifest, newest first; none if there is no such folder. Rejects with a Trouble. */
export async function readShelf(dir: string): Promise<Backup[]> {
  try {
    const all = new Set(await readdir(dir))
    // A manifest whose file was removed by hand is no backup.
    const names = [...all].filter(
      (name) => name.endsWith(SUFFIX) && !name.startsWith('.') && all.has(name.slice(0, -SUFFIX.length)),
    )
    const backups = await Promise.all(names.map((name) => readBackup(join(dir, name.slice(0, -SUFFIX.length)))))
    return backups
      .filter((backup) => backup !== undefined)
      .sort((a, b) => Date.parse(b.manifest.taken_at) - Date.parse(a.manifest.taken_at))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw folderTrouble(error, dir)
  }
}

/** One backup, by its path; undefined if it has no manifest that we can read. */
export async function readBackup(path: string): Promise<Backup | undefined> {
  try {
    const parsed = manifest.safeParse(JSON.parse(await readFile(path + SUFFIX, 'utf8')))
    return parsed.success ? { path, manifest: parsed.data } : undefined
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The newest that was not found bad: what has failed its last proof is not good. */
export function newestGood(backups: readonly Backup[]): Backup | undefined {
  return backups.find(({ manifest: { proof } }) => proof?.ok ?? true)
}

/** Those of the Redis of this URL: several may share a folder, and none may be taken for, or removed in favour of, another's. */
export function ofServer(backups: readonly Backup[], url: string): Backup[] {
  const source = sourceName(url)
  return backups.filter(({ manifest }) => manifest.source === source)
}

/** How a manifest names the Redis of a URL: `host:port`. */
export function sourceName(url: string): string {
  return serverName(url).replace(/\/[^/]*$/, '')
}

/**
 * The order in which to bring something back from backups of one server: good ones first that may hold keys of the classes wanted
 * (patterns; any if empty), and snapshots before append-only files, of which nobody has counted the keys; each newest first. What has
 * failed its proof is left out.
 */
export function worthTrying(backups: readonly Backup[], wanted: readonly string[]): Backup[] {
  const rank = ({ manifest: { kind, keys } }: Backup): number => {
    const held = keys?.classes.filter(({ match }) => wanted.length === 0 || wanted.includes(match ?? ''))
    const isKnown = held !== undefined && (wanted.length === 0 || held.length > 0)
    const isEmpty = keys?.total === 0 || (isKnown && held.every((its) => its.keys === 0))
    return (isEmpty ? 2 : 0) + (kind === 'aof' ? 1 : 0)
  }
  return backups.filter(({ manifest: { proof } }) => proof?.ok ?? true).sort((a, b) => rank(a) - rank(b))
}

/** Those of one server, newest first, that a drill should prove: the newest of each kind, for one tells nothing about the other. */
export function worthProving(backups: readonly Backup[]): Backup[] {
  const kinds = ['rdb', 'aof'] as const
  return kinds.flatMap((kind) => backups.find(({ manifest }) => manifest.kind === kind) ?? [])
}

/** Writes the manifest beside its backup, whole or not at all. */
export async function writeManifest({ path, manifest: content }: Backup): Promise<void> {
  await writeWhole(path + SUFFIX, `${JSON.stringify(content, null, 2)}\n`)
}

/** The name of a backup's manifest. */
export function manifestPath(path: string): string {
  return path + SUFFIX
}
