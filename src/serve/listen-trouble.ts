import { dirname } from 'node:path'

export interface ListenTrouble {
  /** Stable, for scripts. */
  readonly code: string
  readonly reason: string
  readonly hint: string
}

/** What it means that `http.listen` failed with this code of the system, and what mends it. */
export function listenTrouble(listen: string, code = 'unknown'): ListenTrouble {
  const [name, reason, hint] = explain(listen, code)
  return { code: name, reason: `http.listen: ${reason}`, hint }
}

function explain(listen: string, code: string): [code: string, reason: string, mend: string] {
  const isPath = listen.startsWith('/')
  switch (code) {
    case 'EADDRINUSE':
      return isPath
        ? [
            'http_in_use',
            `${listen} is in use by another process`,
            'stop it if it is a second Rekindle, or choose another socket',
          ]
        : [
            'http_in_use',
            `${listen} is in use by another process`,
            'stop it if it is a second Rekindle, or choose another port',
          ]
    case 'EEXIST':
      return ['http_in_use', `${listen} is there and is no socket`, 'remove it, or choose another name']
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return isPath
        ? [
            'http_refused',
            `${listen} may not be made`,
            `let this user write to ${dirname(listen)}, or choose another folder`,
          ]
        : ['http_refused', `${listen} may not be opened`, 'choose a port above 1023, or allow it to this user']
    case 'ENOENT':
    case 'ENOTDIR':
      return [
        'http_no_folder',
        `${dirname(listen)} is no folder`,
        'make it, or have systemd do so by RuntimeDirectory=',
      ]
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return [
        'http_no_address',
        `${listen} is no address of this machine (${code})`,
        'use 127.0.0.1, or an address that it has',
      ]
    case 'ENAMETOOLONG':
      return ['http_refused', `${listen} is too long for a socket`, 'choose a name of at most 107 bytes']
    case 'EINVAL':
      return ['http_refused', `${listen} cannot be listened at (${code})`, 'choose a shorter name']
    default:
      return ['http_failed', `${listen} cannot be listened at (${code})`, 'choose another port or socket']
  }
}
