import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const project = fileURLToPath(new URL('../..', import.meta.url))
const read = (name: string): string => readFileSync(join(project, name), 'utf8')
const pages = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(project, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  const headings = [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => text)
  return headings.map((text) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-'),
  )
}

/** The indented blocks of the guide, without their indent. */
function blocks(): string[] {
  const found = read('docs/guide.md').match(/(?:^ {4}.*\n|^\n(?= {4}))+/gm) ?? []
  return found.map((block) => block.replace(/^ {4}/gm, '').trim())
}

it.each(pages)('%s links to what is there', (page) => {
  const text = read(page)
  const links = [...text.matchAll(/\]\(([^)\s]+)\)|src="([^"]+)"/g)].map(([, link, src]) => link ?? src ?? '')
  for (const link of links.filter((each) => !/^https?:/.test(each))) {
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? page : join(dirname(page), path)
    expect(existsSync(join(project, target)), `${page}: ${link}`).toBe(true)
    if (anchor !== undefined) expect(anchorsOf(target), `${page}: ${link}`).toContain(anchor)
  }
})

it('the guide gives Redis the rules that are tested, and those of a backup', () => {
  const given = blocks().find((block) => block.includes('ACL SETUSER')) ?? ''
  const rules = (text: string): string[] => text.match(/[&~+-][@\w][^\s'\\]*/g)?.sort() ?? []
  const [line = ''] = /^user rekindle .*$/m.exec(read('deploy/redis/users.acl')) ?? []
  const [, command = ''] = /SETUSER(.*?)redis-cli CONFIG/s.exec(given) ?? []
  expect(rules(command)).toEqual(rules(`${line} +replconf +sync +module|list`))
})
