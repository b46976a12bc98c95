import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

export interface Service {
  image?: string
  command?: string[]
  entrypoint?: string[]
  environment?: Record<string, string>
  volumes?: string[]
  ports?: string[]
  profiles?: string[]
  healthcheck?: object
  depends_on?: Record<string, { condition: string }>
}

export interface Compose {
  services: Record<string, Service>
  volumes: Record<string, unknown>
}

/** docker-compose.yml, its anchors merged and `$$` read as Compose reads it. */
export function readCompose(): Compose {
  const text = readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8')
  return parse(text.replaceAll('$$', '$'), { merge: true }) as Compose
}
