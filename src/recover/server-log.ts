import { Trouble, type TroubleCode } from '../errors.js'

interface Rule {
  readonly when: RegExp
  readonly code: TroubleCode
  readonly say: (match: RegExpExecArray, version: string) => string
  readonly hint: string
}

const ANOTHER = 'use another backup: rekindle backup list'

/** What redis-server logs when it cannot load a file -> what that means. First match wins. */
const RULES: readonly Rule[] = [
  {
    when: /Can't handle RDB format version (\d+)/,
    code: 'no_program',
    say: ([, format], version) =>
      `it was written by a newer Redis (RDB version ${format}) than redis-server ${version}`,
    hint: 'put the redis-server of that Redis on PATH here',
  },
  {
    when: /(?:no matching module(?: type)?|Missing module type) '?([\w-]+)/,
    code: 'redis_no_module',
    say: ([, type]) => `it holds data of a module that was not found here (${type})`,
    hint: 'put the module into /usr/lib/redis/modules, or install the Redis that has it',
  },
  {
    when: /Unknown command '(\S+)' reading the append only file/,
    code: 'redis_no_module',
    say: ([, command]) => `it holds the command ${command}, which redis-server does not know here`,
    hint: 'put its module into /usr/lib/redis/modules, or install the Redis that has it',
  },
  {
    when: /Can't load module from (\S+?):/,
    code: 'redis_no_module',
    say: ([, path], version) => `the module ${path} does not load into redis-server ${version}`,
    hint: 'install a module that fits this redis-server',
  },
  {
    when: /Data file was created with a Redis server configured to handle more than (\d+) databases/,
    code: 'bad_backup',
    say: ([, databases]) => `it holds more than ${databases} databases`,
    hint: 'only a server of its own can load it',
  },
  {
    when: /Out Of Memory|Short read or OOM.*Cannot allocate|Cannot allocate memory/i,
    code: 'no_memory',
    say: () => 'there is too little memory to load it',
    hint: 'free memory, or do it on another machine; no data was touched',
  },
  {
    when: /Wrong signature|Unexpected EOF|Short read|Wrong RDB checksum|Bad file format|file reading failure|Internal error in RDB|REDIS BUG REPORT|Unknown RDB|Unrecoverable error reading/i,
    code: 'bad_backup',
    say: () => 'it is damaged or cut short',
    hint: ANOTHER,
  },
  {
    when: /(?:opening|open) .*: (Permission denied)/i,
    code: 'bad_folder',
    say: () => 'permission denied',
    hint: 'let the user of Rekindle read it',
  },
]

/** Says why a redis-server did not come up with a backup, by its log and exit status. */
export function bootTrouble(path: string, log: string, status: number): Trouble {
  const version = /Redis version=([\d.]+)/.exec(log)?.[1] ?? ''
  for (const { when, code, say, hint } of RULES) {
    const match = when.exec(log)
    if (match) return new Trouble(code, `${path}: ${say(match, version)}`, hint, false)
  }
  // SIGKILL: nobody but the kernel would send it.
  if (status === 137) return bootTrouble(path, 'Cannot allocate memory', 0)
  const said = lastLine(log) || `it ended with status ${status}`
  // That may be the fault of this machine: no reason to call the backup bad.
  return new Trouble('unexpected', `${path}: redis-server did not load it: ${said}`, ANOTHER, false)
}

/** `12:M 20 Nov 2026 08:14:03.123 # What was said` -> `What was said`. */
function lastLine(log: string): string {
  return (log.trimEnd().split('\n').at(-1) ?? '').replace(/^\d+:\w .*?\d\.\d{3} . /, '')
}
