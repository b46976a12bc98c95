import { runDemo } from './demo.js'
import { parseOptions, UsageError, usage } from './options.js'
import { Screen } from './screen.js'

const screen = new Screen()
// Nobody reads any more, as after `| head`: what runs is ended on the way out.
process.stdout.once('error', () => process.exit(1))
try {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) console.log(usage)
  else process.exitCode = (await runDemo(options, screen)) ? 0 : 1
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`demo: ${error.message}`)
    process.exitCode = 2
  } else {
    screen.failed((error as Error).message)
    process.exitCode = 1
  }
}
