import { Trouble } from '../errors.js'
import { folderTrouble } from './folder-trouble.js'

/** Says why a file of Redis could not be linked aside. */
export function linkTrouble(error: unknown, path: string): Trouble {
  if (error instanceof Trouble) return error
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EPERM' || code === 'EACCES') {
    return new Trouble(
      'bad_folder',
      `${path}: no permission to link it aside`,
      'run Rekindle as the user of Redis, who may write its data directory',
      false,
    )
  }
  if (code === 'EXDEV') {
    return new Trouble(
      'bad_folder',
      `${path}: it lies on another file system than the data directory of Redis`,
      'keep it in the data directory itself',
      false,
    )
  }
  return folderTrouble(error, path)
}

export function isSymbolicLink(path: string): Trouble {
  return new Trouble(
    'bad_folder',
    `${path}: it is a symbolic link, so what it names cannot be linked aside`,
    'set dir and dbfilename of Redis to where it really is',
    false,
  )
}

export function noRoom(path: string, bytes: number): Trouble {
  return new Trouble(
    'no_space',
    `${path}: not linked aside, since less space is free than its ${Math.ceil(bytes / 1_048_576)} MiB`,
    'free some space; what is kept already stays',
    true,
  )
}

export function rewritesAreOff(percentage: string, cause: unknown): Trouble {
  return new Trouble(
    'redis_refused',
    'auto-aof-rewrite-percentage of Redis was set to 0 and could not be set back',
    `CONFIG SET auto-aof-rewrite-percentage ${percentage}`,
    true,
    { cause },
  )
}

/** Says why the data directory is only looked at every `period` ms. */
export function watchTrouble(error: unknown, dir: string, period: number): Trouble {
  const { code = String(error) } = error as NodeJS.ErrnoException
  return new Trouble(
    'bad_folder',
    `${dir} cannot be watched (${code}): a snapshot that Redis replaces within ${period / 1_000} s is not kept`,
    'raise fs.inotify.max_user_instances and fs.inotify.max_user_watches (sysctl)',
    false,
  )
}
