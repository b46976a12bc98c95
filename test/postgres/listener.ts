import { Client } from 'pg'
import { type Announcement, parseAnnouncement } from '../../src/decide/announcement.js'
import { until } from '../support/until.js'

/** A session that listens on a channel; `heard` gives what an act of some other session caused, `announced` without what was `written`. */
export interface Listener {
  payloads(act: () => Promise<unknown>): Promise<string[]>
  heard(act: () => Promise<unknown>): Promise<(Announcement | undefined)[]>
  announced(act: () => Promise<unknown>): Promise<(Announcement | undefined)[]>
  close(): Promise<void>
}

export async function listen(url: string, channel = 'rekindle'): Promise<Listener> {
  const client = new Client({ connectionString: url })
  const received: string[] = []
  client.on('notification', ({ payload = '' }) => received.push(payload))
  await client.connect()
  await client.query(`LISTEN ${client.escapeIdentifier(channel)}`)
  let marks = 0
  // Notifications arrive in the order of the commits: with the mark, all that was sent before is here.
  const catchUp = async () => {
    const mark = `mark ${++marks}`
    await client.query('SELECT pg_notify($1, $2)', [channel, mark])
    await until(() => received.at(-1) === mark)
    received.pop()
  }
  const payloads = async (act: () => Promise<unknown>) => {
    await catchUp()
    received.length = 0
    await act()
    await catchUp()
    return [...received].sort()
  }
  return {
    payloads,
    heard: async (act) => (await payloads(act)).map(parseAnnouncement),
    announced: async (act) => (await payloads(act)).map((payload) => withoutWritten(parseAnnouncement(payload))),
    close: () => client.end(),
  }
}

function withoutWritten(announcement: Announcement | undefined): Announcement | undefined {
  if (!announcement || !('keys' in announcement) || announcement.keys === 'all') return announcement
  return { ...announcement, keys: announcement.keys.map(({ written, ...key }) => key) }
}
