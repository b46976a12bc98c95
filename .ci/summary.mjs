// Prints `N passed, N failed, N skipped` from vitest's JSON report; exits 1 where something failed or nothing ran.
import { existsSync, readFileSync } from 'node:fs'

const [file] = process.argv.slice(2)
const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { testResults: [] }
const files = report.testResults
const count = (...states) =>
  files.flatMap((each) => each.assertionResults).filter(({ status }) => states.includes(status)).length
// A file that cannot even be loaded has no tests that could fail.
const broken = files.filter(
  ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
).length
const passed = count('passed')
const failed = count('failed') + broken
console.log(`${passed} passed, ${failed} failed, ${count('skipped', 'pending', 'todo', 'disabled')} skipped`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
