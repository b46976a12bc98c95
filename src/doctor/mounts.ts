/** A file system, as a line of /proc/<pid>/mountinfo names it. */
export interface Mount {
  readonly point: string
  /** `ext4`, `overlay`, `tmpfs`, … */
  readonly type: string
}

/** The mount that a path lies on: the deepest that holds it, and of several on one point the last. */
export function mountOf(mountinfo: string, path: string): Mount | undefined {
  let found: Mount | undefined
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const point = before
      .split(' ')[4]
      ?.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
    const type = after.split(' ')[0]
    if (!point || !type || !holds(point, path)) continue
    if (!found || point.length >= found.point.length) found = { point, type }
  }
  return found
}

function holds(point: string, path: string): boolean {
  return path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`)
}
