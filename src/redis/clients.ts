import { ask, type Wire } from './wire.js'

/** One client of Redis, by the fields of CLIENT LIST: `id`, `addr`, `name`, `idle`, `sub`, `cmd`, … */
export type Client = Partial<Record<string, string>>

/** Everyone who is connected. Rejects where CLIENT LIST is forbidden. */
export async function listClients(redis: Wire): Promise<Client[]> {
  const lines = String(await ask(redis, 'CLIENT', 'LIST'))
    .trim()
    .split('\n')
  return lines.map(readClient)
}

function readClient(line: string): Client {
  return Object.fromEntries(
    line.split(' ').map((field) => [field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)]),
  )
}
