import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { shellQuote } from '../../src/decide/shell-quote.js'

it.each(['sub:user:*', "q's:*", "'", "''a'", '$(id) `id` \\ " !x', 'two\nlines', ''])('is one word: %j', (text) => {
  const said = execFileSync('/bin/sh', ['-c', `printf '<%s>' ${shellQuote(text)}`], { encoding: 'utf8' })
  expect(said).toBe(`<${text}>`)
})
