/** The sections about how Rekindle is seen from outside: HTTP and webhooks. */

import { isAbsolute } from 'node:path'
import { z } from 'zod'
import { duration, section, text } from './kinds.js'
import { splitUrl } from './url.js'

export interface HttpConfig {
  /** `host:port`, or the absolute name of a Unix socket; false: nothing listens. */
  listen: string | false
}

export interface AlertsConfig {
  webhook: {
    /** Where alerts are sent as JSON; absent: nowhere. */
    url?: string
    /** Key of the HMAC-SHA256 that signs the body; absent: unsigned. */
    secret?: string
    /** For how long one attempt may last, in ms. */
    timeout: number
  }
}

const LISTEN = 'is no address; it should be host:port such as 127.0.0.1:9808, the absolute name of a socket, or false'

const listen = z.union([z.literal(false), z.string()], { error: LISTEN }).superRefine((value, context) => {
  if (value === false) return
  const complain = (message: string) => context.addIssue({ code: 'custom', input: value, message })
  // One that is too long for a socket is told when it is opened: nothing else must wait for it.
  if (isAbsolute(value)) return
  const [, host, port] = /^(\[[\da-f:.]+\]|[\w.-]+):(\d{1,5})$/i.exec(value) ?? []
  if (host === undefined || Number(port) > 65_535) complain(LISTEN)
})

const webhookUrl = text('a URL', 'such as https://hooks.example.com/rekindle').superRefine((value, context) => {
  const scheme = splitUrl(value)?.scheme
  if ((scheme === 'http' || scheme === 'https') && URL.canParse(value)) return
  context.addIssue({ code: 'custom', input: value, message: 'is no URL; it should begin with https:// or http://' })
})

export const http = section({ listen: listen.default('127.0.0.1:9808') })

export const alerts = section({
  webhook: section({
    url: webhookUrl.exactOptional(),
    secret: text('a secret', 'of some length').exactOptional(),
    timeout: duration(100).prefault('5s'),
  }),
})
