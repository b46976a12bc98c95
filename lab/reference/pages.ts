import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { configurationPages } from './configuration.js'
import { eventsPage } from './events.js'
import { metricsPage } from './metrics.js'

const SCHEMA = 'config/rekindle.schema.json'

/** The texts of all generated files, by their names in the project, whose folder is `root`. */
export async function referencePages(root: string): Promise<Map<string, string>> {
  const { page, schema } = configurationPages(root)
  return new Map([
    ['docs/reference/configuration.md', `${page}\n`],
    ['docs/reference/events.md', `${eventsPage(root)}\n`],
    ['docs/reference/metrics.md', `${await metricsPage()}\n`],
    [SCHEMA, formatted(root, schema)],
  ])
}

/** As the linter wants it. */
function formatted(root: string, json: string): string {
  const biome = resolve(root, 'node_modules/@biomejs/biome/bin/biome')
  const args = [biome, 'format', `--stdin-file-path=${SCHEMA}`]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, input: json, encoding: 'utf8' })
  if (status !== 0) throw new Error(`biome cannot format ${SCHEMA}: ${stderr}`)
  return stdout
}
