#!/usr/bin/env node
import { printFailure } from './commands/answer.js'
import { run } from './commands/program.js'
import { guardOutput } from './output.js'

/** How long connections may take to say goodbye, in ms: a query that still runs must not hold up the end. */
const FAREWELL = 200

for (const stream of [process.stdout, process.stderr]) {
  // Whoever reads us may stop at any time, as `| head` does; the work and its exit status are the same.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return
    process.stderr.write(`rekindle: what it says cannot be written: ${error.message}\n`)
    process.exit(1)
  })
}
guardOutput((error) => printFailure(error, process.argv.includes('--json')))
process.exitCode = await run(process.argv.slice(2), process.env)
// What a slow reader has not taken yet must not be lost.
await new Promise((resolve) => process.stdout.write('', resolve))
setTimeout(() => process.exit(), FAREWELL).unref()
