import type { Backup } from '../backup/shelf.js'
import type { ThrowawaySource } from './throwaway.js'

/** How a throwaway server gets at a backup. */
export function sourceOf({ path, manifest: { kind, modules } }: Backup): ThrowawaySource {
  return kind === 'rdb' ? { kind, path, modules } : { kind, dir: path, isBackup: true, modules }
}
