import { Trouble } from '../errors.js'

/** Says what an error of the file system means for a folder or a file in it. */
export function folderTrouble(error: unknown, path: string): Trouble {
  if (error instanceof Trouble) return error
  const { code = '', message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new Trouble(
        'no_space',
        `${path}: the disk is full`,
        'free some space; earlier backups are untouched',
        true,
      )
    case 'EACCES':
    case 'EPERM':
      return new Trouble(
        'bad_folder',
        `${path}: permission denied`,
        'let the user of Rekindle read and write it',
        false,
      )
    case 'EROFS':
      return new Trouble(
        'bad_folder',
        `${path}: the file system is read-only`,
        'name a folder that can be written',
        false,
      )
    case 'ENOENT':
      return new Trouble('bad_folder', `${path}: it does not exist`, 'correct the name, or create it', false)
    case 'ENOTDIR':
      return new Trouble('bad_folder', `${path}: it is no folder`, 'name a folder', false)
    default:
      return new Trouble('bad_folder', `${path}: ${code || message}`, 'look at its disk', true)
  }
}
