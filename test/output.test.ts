import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const gate = fileURLToPath(new URL('../dist/output.js', import.meta.url))

/** What reaches the outside of what a process writes whose secrets these are. */
function written(secrets: string[], write: string): string {
  if (!existsSync(gate)) throw new Error('dist/output.js is missing: npm run build makes it')
  const program = `import { guardOutput, keepSecret } from ${JSON.stringify(gate)}
    guardOutput((error) => (process.stderr.write(String(error?.stack ?? error)), 1))
    const secrets = ${JSON.stringify(secrets)}
    keepSecret(secrets)
    const [secret] = secrets;
    ${write}`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  })
  return stdout + stderr
}

const SECRET = 's3cr/et"wörd é\\+%41'
const hex = (text: string) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')

it.each([
  ['as it is', SECRET],
  ['escaped as in a URL', encodeURIComponent(SECRET)],
  ['escaped in small letters', encodeURIComponent(SECRET).toLowerCase()],
  ['escaped in part', encodeURI(SECRET).replace('s3', '%733')],
  ['escaped whole', hex(SECRET)],
  ['escaped twice', encodeURIComponent(encodeURIComponent(SECRET))],
  ['in a form', encodeURIComponent(SECRET).replaceAll('%20', '+')],
  ['in JSON', JSON.stringify(SECRET)],
  ['in JSON within JSON', JSON.stringify(JSON.stringify({ SECRET }))],
  ['in JSON that is ASCII only', '"s3cr/et\\"w\\u00f6rd \\u00E9\\\\+%41"'],
  ['in JSON of PHP', '"s3cr\\/et\\"w\\u00f6rd \\u00e9\\\\+%41"'],
])('a secret does not get out %s', (_, shape) => {
  const told = `before ${shape} after`
  for (const stream of ['stdout', 'stderr']) {
    const out = written([SECRET], `process.${stream}.write(${JSON.stringify(told)})`)
    expect(out).toMatch(/^before "?.*\*\*\*.* after$/)
    expect(out).not.toMatch(/s3|s%33|%733|rd|%72%64/i)
  }
})

it.each([
  ['bytes of text', `process.stdout.write(Buffer.from('a ' + secret + ' b'))`],
  ['bytes that are no text', `process.stdout.write(Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(secret)]))`],
  ['the console', 'console.log({ deep: [secret] }); console.error(secret)'],
  ['a warning', 'process.emitWarning(secret)'],
  ['an error that nobody caught', 'setTimeout(() => { throw new Error(secret) })'],
  ['a promise that nobody caught', 'Promise.reject(new Error(secret))'],
  ['a pipe', `(await import('node:stream')).Readable.from([Buffer.from(secret)]).pipe(process.stdout)`],
])('nor in %s', (_, write) => {
  const out = written(['topsecret'], write)
  expect(out).toContain('***')
  expect(out).not.toContain('topsecret')
})

it('what holds no secret stays as it is, to the byte', () => {
  const bytes = [0, 255, 254, 65, 10]
  expect(written(['topsecret'], `process.stdout.write(Buffer.from([65, 66, 10]))`)).toBe('AB\n')
  const out = spawnSync(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `import { guardOutput, keepSecret } from ${JSON.stringify(gate)}
       guardOutput(() => 1); keepSecret(['topsecret']); process.stdout.write(Buffer.from(${JSON.stringify(bytes)}))`,
    ],
    {},
  )
  expect([...out.stdout]).toEqual(bytes)
})
