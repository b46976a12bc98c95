import type { Config } from './schema.js'

/** The column that PostgreSQL says does not exist; undefined if the text is about something else. */
export function namedColumn(message: string): string | undefined {
  const found = /column (?:[\w$]+\.)?(?:"((?:[^"]|"")+)"|([^\s"]+)) does not exist/.exec(message)
  return found ? (found[1]?.replaceAll('""', '"').replace(/^\w\./, '') ?? found[2]) : undefined
}

/** The configuration keys of a dataset that name this column: `indicators.columns.value.updated`. */
export function configKeys(config: Config, dataset: string, column: string): string[] {
  const [section = '', name] = dataset.split(/\.(.*)/s)
  const path = section === 'rows' && name !== undefined ? ['rows', name] : [section, 'columns']
  const part = path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], config)
  return leaves(part, path.join('.')).flatMap(([key, value]) => (value === column ? [key] : []))
}

function leaves(value: unknown, path: string): [key: string, value: unknown][] {
  if (typeof value !== 'object' || value === null) return [[path, value]]
  return Object.entries(value).flatMap(([key, each]) => leaves(each, `${path}.${key}`))
}
