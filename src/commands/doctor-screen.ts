import { type ChangeSource, saySource, saySources } from '../decide/change-sources.js'
import type { FunctionFacts } from '../decide/risks-facts.js'
import { sayCount, saySize, saySpan } from '../decide/risks-words.js'
import type { Diagnosis } from '../doctor/examine.js'
import type { Fate } from '../doctor/recoverability.js'
import type { Risk } from '../model.js'
import { type Cell, clean, type Paint, paragraph, type Style, table, widthOf, wrap } from './doctor-layout.js'

/** What is told of a terminal: how wide it is, and whether it shows colours. */
export interface Screen {
  readonly width: number
  readonly paint: Paint
}

/** A diagnosis, and how changes in PostgreSQL are found; undefined where it could not be asked. */
export type ToldDiagnosis = Diagnosis & { readonly changes: readonly ChangeSource[] | undefined }

const INDENT = '  '
const FROM: Record<Fate['from'], Cell> = {
  nothing: { text: 'NOTHING', style: 'red' },
  backup: { text: 'a backup' },
  itself: { text: 'its writers' },
  postgres: { text: 'PostgreSQL', style: 'green' },
}

/** What `rekindle doctor` shows a person: what would come back, what stands in the way, and what could not be checked. */
export function showDiagnosis(diagnosis: ToldDiagnosis, server: string, screen: Screen): string[] {
  const sections = [
    headline(diagnosis, server, screen),
    map(diagnosis, screen),
    strangers(diagnosis, screen),
    findings(diagnosis, screen),
    changeLines(diagnosis, screen),
    uncheckedLines(diagnosis, screen),
  ]
  return sections.filter((lines) => lines.length > 0).flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]))
}

function headline({ version, census, risks, unchecked }: Diagnosis, server: string, screen: Screen): string[] {
  const keys = census ? `, ${sayCount(census.total, 'key')}` : ''
  const serious = risks.filter(({ severity }) => severity === 'risk').length
  const partly = unchecked.length > 0 ? ', as far as could be checked' : ''
  const isUnknown = version === undefined
  const verdict =
    serious > 0 || isUnknown
      ? screen.paint(serious > 0 ? sayCount(serious, 'risk') : 'its health is unknown', 'red')
      : screen.paint(`healthy${partly}`, partly ? 'yellow' : 'green')
  return [`Redis${version ? ` ${clean(version)}` : ''} at ${clean(server)}${keys}: ${verdict}.`]
}

function map({ at, census, fates, otherDatabases, functions }: Diagnosis, { width, paint }: Screen): string[] {
  const code = functions ? wrap(sayFunctions(functions, at), width) : []
  if (!census) return code
  const others = otherDatabases.map(({ database, keys }) => `db${database} (${sayCount(keys, 'key')})`).join(', ')
  const aside = others === '' ? [] : wrap(`Not looked at: ${others}; redis.url names another database.`, width)
  if (fates.length === 0) return ['It holds no keys that could be lost.', ...code, ...aside]
  const head = ['KEYS', 'COUNT', 'SIZE', 'FROM', ''].map((text): Cell => ({ text, style: 'dim' }))
  const rows = [head, ...fates.map((fate) => fateRow(fate, at))]
  const shapes = [{ most: 26 }, { right: true, most: 14 }, { right: true, most: 8 }, { most: 14 }, {}]
  const looked = `About: ${sayCount(census.seen, 'key')} were looked at, and the rest is taken to be like them.`
  return [
    paint('If Redis lost everything now, this would come back', 'bold'),
    ...table(shapes, rows, width - INDENT.length, paint).map((line) => INDENT + line),
    ...(census.exact ? [] : wrap(looked, width)),
    ...code,
    ...aside,
  ]
}

/** Libraries of functions, and what would bring them back. */
function sayFunctions({ libraries, missing, takenAt }: FunctionFacts, at: number): string {
  const names = `Function libraries: ${libraries.map(clean).join(', ')}`
  if (takenAt === undefined) return `${names}; no backup holds them.`
  const backup = `the backup taken ${saySpan(at - takenAt)} ago`
  if (missing === undefined) return `${names}; ${backup} may hold them.`
  return missing.length === 0
    ? `${names}; ${backup} holds them.`
    : `${names}; ${backup} does not hold ${missing.map(clean).join(', ')}.`
}

function fateRow(fate: Fate, at: number): Cell[] {
  const { keys, exact, bytes, from } = fate
  const about = exact ? '' : '~'
  return [
    { text: fate.class?.match ?? '(of no class)' },
    { text: about + keys.toLocaleString('en-US') },
    { text: bytes === undefined ? '?' : saySize(bytes) },
    FROM[from],
    { text: sayHow(fate, at), ...(from === 'nothing' ? {} : { style: 'dim' as Style }) },
  ]
}

/** What is behind the word in the column before: how old, how sure, and what the loss means. */
function sayHow({ class: its, from, backup, keys }: Fate, at: number): string {
  const impact = its?.impact
  if (from === 'nothing') {
    return impact ?? (its ? 'no backup holds them' : 'nobody has said what they are')
  }
  if (from !== 'backup' || !backup) return impact === undefined || from === 'postgres' ? '' : `until then: ${impact}`
  const proved = backup.provedAt === undefined ? 'never proved' : `proved ${saySpan(at - backup.provedAt)} ago`
  const held =
    backup.keys === undefined
      ? ' (it may hold them)'
      : backup.keys < keys
        ? `, ${backup.keys.toLocaleString('en-US')} of them`
        : ''
  const unsaid = its ? '' : '; nobody has said what they are'
  return `${saySpan(at - backup.takenAt)} old${held}, ${proved}${unsaid}`
}

function strangers({ census, fates }: Diagnosis, { width, paint }: Screen): string[] {
  const unknown = fates.find((fate) => fate.class === undefined)
  if (!census || !unknown || census.shapes.length === 0) return []
  const scale = census.exact ? 1 : census.total / Math.max(1, census.seen)
  const entries = census.shapes.flatMap(({ match, keys }) => {
    const entry = `${INDENT}  - { match: ${JSON.stringify(match)}, recovery: backup }`
    const remark = `  # ${census.exact ? '' : 'about '}${sayCount(Math.round(keys * scale), 'key')}`
    // Broken within a remark it would be no YAML.
    if (widthOf(entry + remark) <= width) return [entry + paint(remark, 'dim')]
    return paragraph(`${INDENT}  - `, entry.trim().slice(2), width, String)
  })
  return [
    ...wrap('Keys of no class: say in the configuration what becomes of them (backup, itself or postgres).', width).map(
      (line) => paint(line, 'bold'),
    ),
    `${INDENT}keys:`,
    ...entries,
  ]
}

function findings({ risks }: Diagnosis, { width, paint }: Screen): string[] {
  const list = (severity: Risk['severity'], title: string, mark: string, style: Style): string[] => {
    const some = risks.filter((risk) => risk.severity === severity)
    if (some.length === 0) return []
    return [
      paint(title, 'bold'),
      ...some.flatMap(({ code, message, mend }) => [
        ...marked(mark, style, `${message} [${code}]`, width, paint),
        ...paragraph(`${INDENT}${INDENT}→ `, mend, width, (line) => paint(line, 'dim')),
      ]),
    ]
  }
  const serious = list('risk', 'Risks, and what mends them', '✗', 'red')
  const notes = list('note', 'Notes', '·', 'yellow')
  return serious.length > 0 && notes.length > 0 ? [...serious, '', ...notes] : [...serious, ...notes]
}

function marked(mark: string, style: Style, text: string, width: number, paint: Paint): string[] {
  const lines = paragraph(`${INDENT}${mark} `, text, width, (line) => line)
  return lines.map((line, i) => (i === 0 ? line.replace(mark, () => paint(mark, style)) : line))
}

/** Those that are heard in one line; of the others, each with the reason and what mends it. */
function changeLines({ changes = [] }: ToldDiagnosis, { width, paint }: Screen): string[] {
  if (changes.length === 0) return []
  const heard = changes.filter(({ why }) => why === undefined)
  const others = changes.filter(({ why }) => why !== undefined)
  return [
    paint('How changes in PostgreSQL are found', 'bold'),
    ...(heard.length > 0 ? paragraph(INDENT, saySources(heard), width, String) : []),
    ...others.flatMap(({ mend, ...source }) => [
      ...marked('·', 'yellow', `${source.dataset}: ${saySource(source)}`, width, paint),
      ...(mend === undefined ? [] : paragraph(`${INDENT}${INDENT}→ `, mend, width, (line) => paint(line, 'dim'))),
    ]),
  ]
}

function uncheckedLines({ unchecked, user }: Diagnosis, { width, paint }: Screen): string[] {
  if (unchecked.length === 0) return []
  const grants = [...new Set(unchecked.flatMap(({ grant }) => grant.split(' ')).filter(Boolean))]
  const lines = unchecked.flatMap(({ what, why }) => marked('?', 'yellow', `${what}: ${why}`, width, paint))
  const mend = `ACL SETUSER ${user} ${grants.join(' ')}`
  return [
    paint('Could not be checked', 'bold'),
    ...lines,
    ...(grants.length > 0 ? paragraph(`${INDENT}${INDENT}→ `, mend, width, (line) => paint(line, 'dim')) : []),
  ]
}
