import { type FSWatcher, watch } from 'node:fs'
import { chmod, link, lstat, mkdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { Trouble } from '../errors.js'
import { EPOCH } from '../redis/marks.js'
import { ifThere } from './files.js'
import { type Ask, type DataFolder, findDataFolder, readAppending } from './ratchet-folder.js'
import { addTold, type Frozen, freezeAof, freezeDump, type Moment, pruneFreezes } from './ratchet-freeze.js'
import { dumpName, KEPT, type KeptDump, readKept } from './ratchet-kept.js'
import { holdsKeys } from './ratchet-peek.js'
import { endForgottenPause, withoutRewrites } from './ratchet-rewrites.js'
import { isSymbolicLink, linkTrouble, noRoom, watchTrouble } from './ratchet-trouble.js'
import { unfinishedName } from './ratchet-unfinished.js'

/** Keeps the files of Redis from being lost with its data. */
export interface Ratchet {
  /**
   * Call it at once when something may have been flushed: links the append-only file aside, or else keeps the newest snapshot for
   * good. Resolves when that is done; never rejects.
   */
  freeze(why: string): Promise<void>
  /** Ends the watching; what is kept stays. */
  close(): void
}

export interface RatchetOptions {
  readonly ask: Ask
  readonly onKept: (kept: Frozen) => void
  /** Told when something is in the way, and undefined when nothing is any more; the same reason only once. */
  readonly onTrouble: (trouble: Trouble | undefined) => void
  /** Ends the watching, too. */
  readonly signal: AbortSignal
}

/** Snapshots that are kept at most. Each costs the space of its file once Redis has replaced it. */
const DUMPS = 3
/** How often we look, should the system not tell of a new file; and after how many of these the folder is examined anew. In ms. */
const PERIOD = 5_000
const EXAMINE = 12

/**
 * Watches over the data directory of a Redis, if it is at hand: every dump.rdb that holds keys is linked into the folder
 * `rekindle-kept` there as soon as it is finished, so that the next one, such as the empty one of a FLUSHALL, takes only its name.
 */
export function openRatchet(options: RatchetOptions): Ratchet {
  const ratchet = new OpenRatchet(options)
  options.signal.addEventListener('abort', () => ratchet.close(), { once: true })
  if (options.signal.aborted) ratchet.close()
  else ratchet.open()
  return ratchet
}

class OpenRatchet implements Ratchet {
  private folder: DataFolder | undefined
  private watcher: FSWatcher | undefined
  /** Why the system does not tell of new files. */
  private unwatched: Trouble | undefined
  private timer: NodeJS.Timeout | undefined
  private looks = 0
  private isClosed = false
  private lastReason: string | undefined
  /** Which dump.rdb was looked at last. */
  private seen: string | undefined
  /** One look after the other; `again` if there is one to come that has not begun. */
  private looking: Promise<void> = Promise.resolve()
  private again = false
  private freezing: Promise<void> = Promise.resolve()

  constructor(private readonly options: RatchetOptions) {}

  open(): void {
    this.look()
    this.timer = setInterval(() => this.look(), PERIOD)
    this.timer.unref()
  }

  close(): void {
    this.isClosed = true
    clearInterval(this.timer)
    this.watcher?.close()
  }

  async freeze(why: string): Promise<void> {
    const at = Date.now()
    // Only while the first look has not found it is there something to wait for.
    if (!this.folder) await this.looking
    if (this.folder) await this.freezeAt(this.folder, { at, why })
  }

  private freezeAt(folder: DataFolder, moment: Moment): Promise<void> {
    const { ask } = this.options
    // The mark dies with our data, and a flush of another database looks the same from afar. Asked at once: a heal writes it anew.
    const stands = ask('EXISTS', EPOCH).catch(() => 0)
    const appending = readAppending(ask)
    const freeze = async (): Promise<void> => {
      const frozen = await this.freezeFiles(
        folder,
        moment,
        appending.then((told) => told?.isOn),
      )
      if (!frozen) return
      if (frozen.isNew) this.options.onKept(frozen)
      const isForeign = !moment.isAll && (await stands) === 1
      await addTold(frozen, moment, { isForeign, buffered: (await appending)?.buffered ?? 0 })
      if (frozen.isNew) await pruneFreezes(folder)
    }
    this.freezing = this.freezing.then(() => this.attempt(freeze, folder.dir))
    return this.freezing
  }

  /** Somebody may have switched the append-only file on or off since we looked. Where it was on there is no time to ask first. */
  private async freezeFiles(
    folder: DataFolder,
    moment: Moment,
    asked: Promise<boolean | undefined>,
  ): Promise<Frozen | undefined> {
    const isOn = folder.appendOnly || (await asked)
    const frozen = isOn
      ? await withoutRewrites(this.options.ask, folder.dir, () => freezeAof(folder, moment))
      : undefined
    const isOff = (await asked) === false
    if (frozen && !isOff) return frozen
    if (frozen?.isNew) await rm(frozen.path, { recursive: true, force: true })
    return freezeNewestDump(folder, moment)
  }

  private look(): void {
    if (this.again || this.isClosed) return
    this.again = true
    this.looking = this.looking.then(() => {
      this.again = false
      return this.isClosed ? undefined : this.attempt(() => this.lookNow(), this.folder?.dir)
    })
  }

  private async lookNow(): Promise<void> {
    if (!this.folder || this.looks++ % EXAMINE === 0) this.folder = await this.examine()
    await this.keepDump(this.folder)
    await this.freezing
    await endForgottenPause(this.options.ask, this.folder.dir)
    this.tell(this.unwatched)
  }

  private async examine(): Promise<DataFolder> {
    const folder = await findDataFolder(this.options.ask)
    const home = join(folder.dir, KEPT)
    await mkdir(home, { recursive: true, mode: 0o700 }).catch((error) => {
      throw linkTrouble(error, home)
    })
    await chmod(home, 0o700)
    // Anew each time: a folder that was put in another's place has the same name.
    this.watch(folder)
    await pruneFreezes(folder)
    return folder
  }

  /** Where the system cannot watch, or no longer, we still look from time to time. */
  private watch({ dir, dump }: DataFolder): void {
    this.watcher?.close()
    this.unwatched = undefined
    const fail = (error: unknown): void => {
      this.watcher?.close()
      this.unwatched = watchTrouble(error, dir, PERIOD)
    }
    try {
      this.watcher = watch(dir, { persistent: false }, (_, name) => {
        if (name === dump) this.look()
      }).on('error', fail)
    } catch (error) {
      fail(error)
    }
    if (this.isClosed) this.watcher?.close()
  }

  /** Links the dump.rdb aside if it is a new one that holds keys. */
  private async keepDump(folder: DataFolder): Promise<void> {
    const path = join(folder.dir, folder.dump)
    const found = await ifThere(lstat(path))
    const identity = found && `${found.ino}:${found.mtimeMs}:${found.size}`
    if (!found || identity === this.seen) return
    if (found.isSymbolicLink()) throw isSymbolicLink(path)
    const { dumps } = await readKept(folder.dir)
    if (!dumps.some(({ inode }) => inode === found.ino)) {
      const { bavail, bsize } = await statfs(folder.dir)
      if (bavail * bsize < found.size) throw noRoom(path, found.size)
      await this.linkDump(folder, path)
    }
    this.seen = identity
  }

  private async linkDump(folder: DataFolder, path: string): Promise<void> {
    const home = join(folder.dir, KEPT)
    const unfinished = join(home, await unfinishedName())
    try {
      await mkdir(home, { recursive: true, mode: 0o700 })
      await link(path, unfinished)
      const { mtimeMs, ino, size } = await stat(unfinished)
      if (!(await holdsKeys(unfinished))) {
        // That is what a FLUSHALL leaves; it may have been before our time.
        return await this.freezeAt(folder, { at: mtimeMs, why: `an empty ${folder.dump}`, isAll: true })
      }
      const kept = join(home, dumpName(mtimeMs, ino))
      await rename(unfinished, kept)
      this.options.onKept({ what: 'rdb', path: kept, bytes: size, isNew: true })
      await pruneDumps(folder)
    } catch (error) {
      // It was replaced before it could be linked: there is another event for that.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw linkTrouble(error, path)
    } finally {
      await rm(unfinished, { force: true })
    }
  }

  private async attempt(act: () => Promise<void>, path = 'the data directory of Redis'): Promise<void> {
    try {
      await act()
    } catch (error) {
      // Without a connection nothing can be said of the folder; others tell of that.
      const isOfFiles = error instanceof Trouble || (error as NodeJS.ErrnoException).syscall !== undefined
      if (isOfFiles) this.tell(linkTrouble(error, path))
    }
  }

  private tell(trouble: Trouble | undefined): void {
    if (this.isClosed || trouble?.message === this.lastReason) return
    this.lastReason = trouble?.message
    this.options.onTrouble(trouble)
  }
}

async function freezeNewestDump(folder: DataFolder, moment: Moment): Promise<Frozen | undefined> {
  const newest = (await readKept(folder.dir)).dumps.find(({ at }) => at <= moment.at)
  return newest && freezeDump(folder, newest, moment)
}

async function pruneDumps({ dir }: DataFolder): Promise<void> {
  const { dumps } = await readKept(dir)
  await Promise.all(dumps.slice(DUMPS).map(({ path }: KeptDump) => rm(path, { force: true })))
}
