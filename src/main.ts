#!/usr/bin/env node
import { run } from './commands/program.js'

/** How long connections may take to close, in ms: a query that still runs must not hold up the end. */
const FAREWELL = 2_000

for (const stream of [process.stdout, process.stderr]) {
  // Whoever reads us may stop at any time, as `| head` does; the work and its exit status are the same.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}
process.exitCode = await run(process.argv.slice(2), process.env)
setTimeout(() => process.exit(), FAREWELL).unref()
