import { spawn } from 'node:child_process'

/** Assignments for systemd: `READY`, `STATUS`, … */
export type Assignments = Readonly<Record<string, string>>

/** How long one message may take, in ms: systemd-notify waits until systemd has taken it in. */
const LIMIT = 5_000

/**
 * Sends messages to systemd, in order and one at a time, by the program `systemd-notify`: Node has no datagram sockets in the file
 * system. It comes with systemd, and takes 3 ms.
 */
export class Notifier {
  private readonly queue: Assignments[] = []
  private sending: Promise<void> | undefined

  constructor(
    private readonly socket: string,
    /** Told why, whenever a message did not arrive. */
    private readonly onFailure: (reason: string) => void,
    private readonly program = 'systemd-notify',
  ) {}

  /** Sends it after what waits already; of two that only tell the status, the older one need not be sent. */
  send(message: Assignments): void {
    if (isStatus(message) && isStatus(this.queue.at(-1))) this.queue.pop()
    this.queue.push(message)
    this.sending ??= this.drain()
  }

  /** Resolves when everything is sent. */
  async sent(): Promise<void> {
    await this.sending
  }

  private async drain(): Promise<void> {
    for (let message = this.queue.shift(); message; message = this.queue.shift()) {
      const failure = await this.run(message)
      if (failure !== undefined) this.onFailure(failure)
    }
    this.sending = undefined
  }

  /** Resolves with what went wrong, if anything. */
  private run(message: Assignments): Promise<string | undefined> {
    const args = Object.entries(message).map(([name, value]) => `${name}=${oneLine(value)}`)
    return new Promise((resolve) => {
      const child = spawn(this.program, args, {
        // The rest of our environment holds passwords, and is none of its business.
        env: { PATH: process.env['PATH'], NOTIFY_SOCKET: this.socket },
        stdio: ['ignore', 'ignore', 'pipe'],
        timeout: LIMIT,
      })
      let said = ''
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
      child.once('error', (error) => resolve(error.message))
      child.once('close', (status, signal) =>
        resolve(status === 0 ? undefined : oneLine(said.trim()) || `${this.program} ended with ${signal ?? status}`),
      )
    })
  }
}

function isStatus(message: Assignments | undefined): boolean {
  return message !== undefined && Object.keys(message).every((name) => name === 'STATUS')
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ')
}
