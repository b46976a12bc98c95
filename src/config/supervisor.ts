/** What systemd tells a process that it has started, https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html */

export interface Supervisor {
  /** Where it listens: an absolute name, or one in the abstract name space that begins with @. */
  readonly socket: string
  /** How often it wants to hear from us, in ms; undefined if it does not watch us. */
  readonly watchdog: number | undefined
}

/**
 * The supervisor of this process; undefined where there is none, and why not where all this was inherited from a process that systemd
 * has started: to speak in its name would be wrong.
 */
export function readSupervisor(env: NodeJS.ProcessEnv, pid = process.pid): Supervisor | string | undefined {
  const { NOTIFY_SOCKET: socket, SYSTEMD_EXEC_PID, WATCHDOG_PID, WATCHDOG_USEC } = env
  if (!socket) return undefined
  for (const [name, owner] of Object.entries({ SYSTEMD_EXEC_PID, WATCHDOG_PID })) {
    if (owner && owner !== String(pid))
      return `NOTIFY_SOCKET is for another process: ${name} is ${owner}, and this is ${pid}`
  }
  const every = Number(WATCHDOG_USEC) / 1_000
  return { socket, watchdog: every > 0 ? every : undefined }
}
