import { parseInfo } from '../decide/info.js'
import { otherDatabases } from '../decide/risks-facts.js'
import { connectRedis } from '../redis/connect.js'
import { type Library, readLibraries } from './functions.js'

/** What a server holds beside the keys of one database. */
export interface Contents {
  /** Other databases that hold keys. */
  readonly others: readonly { readonly database: number; readonly keys: number }[]
  readonly libraries: readonly Library[]
  /** Keys that it left out when it loaded, since by its clock their time had come; undefined before Redis 7. */
  readonly expired: number | undefined
}

/** Looks at a throwaway server by its socket; `database` is the one whose keys are chosen from. */
export async function readContents(socket: string, database: number): Promise<Contents> {
  const redis = await connectRedis(socket, 'rekindle-contents')
  try {
    const info = parseInfo(`${await redis.info('keyspace')}\n${await redis.info('persistence')}`)
    const expired = info.get('rdb_last_load_keys_expired')
    return {
      others: otherDatabases(info, database),
      libraries: await readLibraries(redis),
      expired: expired === undefined ? undefined : Number(expired),
    }
  } finally {
    redis.disconnect()
  }
}
