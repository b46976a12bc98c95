import { z } from 'zod'
import { configSchema } from '../../src/config/schema.js'
import { readComments } from './comments.js'

/** The parts of JSON Schema that a configuration needs. */
export interface JsonSchema {
  type?: string | string[]
  title?: string
  description?: string
  default?: unknown
  const?: unknown
  enum?: unknown[]
  minimum?: number
  maximum?: number
  anyOf?: JsonSchema[]
  properties?: Record<string, JsonSchema>
  additionalProperties?: JsonSchema | false
  items?: JsonSchema
  required?: string[]
}

/**
 * The schema of the configuration, as of draft 7, which editors know best; what is said of a key is taken from the comments of
 * `annotated`, a YAML file. Throws where a comment is about a key that there is not.
 */
export function configJsonSchema(annotated: string): JsonSchema {
  const schema = z.toJSONSchema(configSchema, {
    target: 'draft-7',
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => loosen(zodSchema, jsonSchema as JsonSchema),
  }) as JsonSchema
  for (const { path, about, line } of readComments(annotated)) {
    const place = path.reduce<JsonSchema | undefined>((outer, name) => outer && inside(outer, name), schema)
    if (!place) throw new Error(`line ${line} of the configuration is about ${path.join('.')}, which is no key`)
    place.description ??= about
  }
  return { ...schema, title: 'The configuration of Rekindle' }
}

/** A section may be left out, and empty, as all of its keys have defaults: zod cannot see that behind what fills them in. */
function loosen(zodSchema: z.core.$ZodType, schema: JsonSchema): void {
  const { def } = zodSchema._zod
  const takes = (type: z.core.$ZodType, value: unknown): boolean => z.safeParse(type, value).success
  if (def.type === 'object') {
    const { shape } = def as z.core.$ZodObjectDef
    const required = schema.required?.filter((name) => !takes(shape[name] as z.core.$ZodType, undefined)) ?? []
    if (required.length > 0) schema.required = required
    else delete schema.required
  }
  if (def.type !== 'pipe' || !takes(zodSchema, null)) return
  if (schema.anyOf) schema.anyOf.push({ type: 'null' })
  else if (schema.type === 'object') schema.type = ['object', 'null']
}

/** The schema of a key, in whichever form of a mapping or of the elements of a list it stands. */
export function inside(schema: JsonSchema, name: string): JsonSchema | undefined {
  const { properties, additionalProperties, items, anyOf = [] } = schema
  const named = properties?.[name] ?? (additionalProperties || undefined)
  return named ?? [items, ...anyOf].flatMap((each) => (each && inside(each, name)) ?? []).at(0)
}
