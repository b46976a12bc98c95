import { spawnSync } from 'node:child_process'

/** True if promtool, of Prometheus, is on PATH. */
export const hasPromtool = spawnSync('promtool', ['--version']).status === 0

/** To be said in the names of tests that need it. */
export const WITHOUT_PROMTOOL = hasPromtool ? '' : ' (SKIPPED: promtool is not installed)'
if (!hasPromtool) console.warn('promtool was not found: tests of metrics and alert rules by it are SKIPPED.')
