import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { PLACES } from '../../src/config/load.js'
import { VARIABLES } from '../../src/config/variables.js'
import { configJsonSchema, type JsonSchema } from './config-schema.js'
import { code, heading, table } from './markdown.js'

export const ANNOTATED = 'config/rekindle.yaml'

const ABOUT = `A YAML file; [${ANNOTATED}](../../${ANNOTATED}) is all of it with the defaults. Every key is optional unless it says otherwise; an unknown key is
an error. It is \`--config FILE\`, else what \`REKINDLE_CONFIG\` names, else the first of ${PLACES.map(code).join(' and ')} that is there.
Durations are whole numbers with \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`, at most 24 days. SIGHUP has \`watch\` read it again.

[config/rekindle.schema.json](../../config/rekindle.schema.json) is the same for editors: put \`# yaml-language-server: $schema=\` and its name, or its
address, on the first line of your file. It knows keys, types and ranges; what fits together, only Rekindle knows, and says at its start.`

const FROM_ENVIRONMENT = `## The environment

These win over the file. An empty one counts as unset. A secret may also stand in a file, whose name is given by the second.`

const OTHERS = `\`REKINDLE_CONFIG\` names the configuration. \`NODE_EXTRA_CA_CERTS\` names certificates to trust beside those of the system, as for any program in Node.
\`NOTIFY_SOCKET\`, \`WATCHDOG_USEC\`, \`WATCHDOG_PID\` and \`SYSTEMD_EXEC_PID\` come from systemd.`

/** The page about the configuration, and its JSON Schema, unformatted. */
export function configurationPages(root: string): { page: string; schema: string } {
  const schema = configJsonSchema(readFileSync(resolve(root, ANNOTATED), 'utf8'))
  const sections = Object.entries(schema.properties ?? {}).map(([name, section]) => {
    const rows = rowsOf(name, section)
    const about = section.description ? [section.description] : []
    return [`## ${name}`, ...about, table(['key', 'type', 'default', ''], rows)].join('\n\n')
  })
  const variables = VARIABLES.map(({ name, path, secret }) => {
    return [code(name), secret ? code(`${name}_FILE`) : '', code(path.join('.'))]
  })
  const page = [
    heading('The configuration', ['src/config/schema.ts', `the comments of ${ANNOTATED}`, 'src/config/variables.ts']),
    ABOUT,
    ...sections,
    FROM_ENVIRONMENT,
    table(['variable', 'or a file', 'key'], variables),
    OTHERS,
  ]
  return { page: page.join('\n\n'), schema: JSON.stringify(schema) }
}

/** A key and those inside it, each with its whole name. */
function rowsOf(path: string, schema: JsonSchema, needed = false): string[][] {
  const { default: value, description = '' } = schema
  const standard = needed ? 'required' : value === undefined ? '' : code(show(value))
  const isSection = !path.includes('.') && value === undefined && schema.anyOf === undefined
  const own = isSection ? [] : [[code(path), typeOf(schema), standard, path.includes('.') ? description : '']]
  return [...own, ...forms(schema).flatMap((form) => insideOf(path, form))]
}

function insideOf(
  path: string,
  { properties = {}, additionalProperties, items, required = [] }: JsonSchema,
): string[][] {
  const named = Object.entries(properties).flatMap(([name, each]) =>
    rowsOf(`${path}.${name}`, each, required.includes(name)),
  )
  const others = additionalProperties || undefined
  const elements = items?.properties ? insideOf(`${path}[]`, items) : []
  // What is plain text is told by the type of the whole.
  return [...named, ...(others?.properties ? rowsOf(`${path}.<name>`, others) : []), ...elements]
}

/** What a value may be: each of several, or the one. */
function forms(schema: JsonSchema): JsonSchema[] {
  return schema.anyOf ?? [schema]
}

function typeOf(schema: JsonSchema): string {
  const { title, enum: words, minimum, maximum, const: only, items, additionalProperties: others } = schema
  if (schema.anyOf)
    return schema.anyOf
      .filter(({ type }) => type !== 'null')
      .map(typeOf)
      .join(' or ')
  if (title) return title
  if (words) return words.map((word) => code(String(word))).join(', ')
  if (only !== undefined) return code(String(only))
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`
  if (items) return `list of ${items.properties ? 'mappings' : typeOf(items)}`
  if (others) return `mapping of names to ${others.properties ? 'mappings' : typeOf(others)}`
  if (schema.properties) return 'mapping'
  return schema.type === 'boolean' ? '`true` or `false`' : 'text'
}

function show(value: unknown): string {
  return typeof value === 'string'
    ? value
    : JSON.stringify(value)
        .replace(/"(\w+)"/g, '$1')
        .replace(/([:,])/g, '$1 ')
}
