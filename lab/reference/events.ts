import type { LogEvent } from '../../src/report/events.js'
import { LEVELS } from '../../src/report/sentences.js'
import { type Declared, type Field, readDeclarations } from './declarations.js'
import { code, heading, table } from './markdown.js'

const SOURCES = ['src/report/events.ts', 'src/report/events-losses.ts', 'src/report/events-keeping.ts']

const ABOUT = `\`rekindle watch\` writes one JSON object a line on stdout. These names are a contract; grep and alert on them. Each line holds
\`level\`, \`time\` (ISO 8601), \`event\`, the fields below, and \`msg\`, the same in a sentence for people, which may change. A field that
may be absent is then left out. Names in \`_ms\` are milliseconds, names in \`bytes\` are bytes. No line holds a password.`

/** The page about the log's events; throws where a field has no meaning written down. */
export function eventsPage(root: string): string {
  const declared = new Map(
    readDeclarations(root, ['src/model.ts', 'src/decide/change-sources.ts', ...SOURCES]).map((each) => [
      each.name,
      each,
    ]),
  )
  const events = membersOf('LogEvent', declared)
  const known = new Map<string, string>()
  const sections = events.map((event) => {
    const rows = event.fields.filter(({ name }) => name !== 'event').map((field) => rowOf(field, known, event.name))
    const fields = rows.length > 0 ? [table(['field', 'type', ''], rows)] : []
    return [`## ${event.name}`, `Level ${levelOf(event.name)}. ${event.about}`, ...fields].join('\n\n')
  })
  const index = events.map(({ name, about }) => [`[${code(name)}](#${name})`, levelOf(name), about])
  const types = [
    ...new Set(events.flatMap(({ fields }) => fields.flatMap(({ type }) => type.match(/\b[A-Z]\w+/g) ?? []))),
  ]
  return [
    heading('The events of the log', [...SOURCES, 'src/report/sentences.ts']),
    ABOUT,
    table(['event', 'level', ''], index),
    ...sections,
    ...types.flatMap((name) => declared.get(name) ?? []).map(typeSection),
  ].join('\n\n')
}

/** The members of a union, with those of unions among them, by the name of their event. */
function membersOf(name: string, declared: ReadonlyMap<string, Declared>): Declared[] {
  return (declared.get(name)?.members ?? []).flatMap((member) => {
    const event = member.fields.find((field) => field.name === 'event')?.type.slice(1, -1)
    return event === undefined ? membersOf(member.name, declared) : [{ ...member, name: event }]
  })
}

/** A field without a comment means what another of its name and type meant before. */
function rowOf({ name, type, about }: Field, known: Map<string, string>, event: string): string[] {
  const told = type.replace(/ \| undefined$/, '')
  const id = `${name}: ${told}`
  const meaning = about || known.get(id)
  if (!meaning) throw new Error(`${event}.${name} is not explained: it needs a comment`)
  if (!known.has(id)) known.set(id, meaning)
  return [code(name), code(told) + (told === type ? '' : ', may be absent'), meaning]
}

function levelOf(name: string): string {
  const level = LEVELS[name as LogEvent['event']]
  if (level === undefined) throw new Error(`${name} has no level`)
  return level
}

function typeSection({ name, about, fields, members }: Declared): string {
  const rows = fields.map((field) => rowOf(field, new Map(), name))
  const words = members.length > 0 ? [`One of ${members.map((member) => code(member.text)).join(', ')}.`] : []
  return [`## ${name}`, about, ...words, ...(rows.length > 0 ? [table(['field', 'type', ''], rows)] : [])].join('\n\n')
}
