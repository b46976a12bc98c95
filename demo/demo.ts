import { onSignalledEnd } from '../lab/processes.js'
import { type Outcome, watchIncident } from './incident.js'
import { keepRunning } from './keep.js'
import { findLacking } from './keys.js'
import { measureLatency } from './latency.js'
import type { Options } from './options.js'
import { type Later, openScene, type Scene } from './scene.js'
import { count, type Screen } from './screen.js'
import { firstFill, type Stage, wipes } from './stages.js'
import { milliseconds, showNotes, showTable } from './summary.js'

const NAME_WIDTH = 24
const LOG_LINES = 8

/** Runs the demo from the first server to the last; false if something did not heal or differs in the end. */
export async function runDemo(options: Options, screen: Screen): Promise<boolean> {
  const closers: Parameters<Later>[0][] = []
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  onSignalledEnd(async () => {
    screen.close('Stopped: ending what was started.')
    await close()
  })
  try {
    screen.say(`\n${screen.paint('bold', 'A real Redis is wiped, and healed from a real PostgreSQL')}\n`)
    const scene = await openScene(options, screen, (closer) => closers.push(closer))
    const isWhole = await play(scene, screen)
    if (isWhole && options.keep) {
      await scene.worker.start()
      await keepRunning(scene, screen)
    }
    return isWhole
  } finally {
    screen.busy('ending what was started')
    await close()
    screen.rest()
  }
}

async function play(scene: Scene, screen: Screen): Promise<boolean> {
  const { worker, hand, databaseUrl, symbols, keys, journal } = scene
  const outcomes = new Map<string, Outcome>()
  try {
    outcomes.set(firstFill.name, await playStage(firstFill, scene, screen))
    await worker.start()
    for (const stage of wipes) outcomes.set(stage.name, await playStage(stage, scene, screen))
    screen.busy('indicator updates')
    const times = await measureLatency(hand, databaseUrl, symbols)
    screen.done(
      `${'indicator updates'.padEnd(NAME_WIDTH)}${times.length} commits: all in Redis within ${milliseconds(times.at(-1))}`,
    )
    await worker.pause()
    screen.say()
    showTable(outcomes, screen)
    screen.say()
    showNotes({ outcomes, times, worker, keys: keys.size }, screen)
    screen.say()
    return await verify(scene, screen)
  } catch (error) {
    screen.failed((error as Error).message)
    screen.say('What rekindle watch logged last:')
    for (const line of journal.tail(LOG_LINES)) screen.say(screen.paint('dim', line))
    return false
  }
}

async function playStage({ name, act }: Stage, scene: Scene, screen: Screen): Promise<Outcome> {
  const { journal, hand, keys } = scene
  screen.busy(name)
  const outcome = await watchIncident(journal, {
    act: () => act(scene),
    onLoss: (lost) => screen.busy(`${name}: ${count(lost, 'key')} lost, healing`),
    findLacking: () => findLacking(hand, keys),
  }).catch((error: Error) => {
    throw new Error(`${name}: ${error.message}`)
  })
  const [noticed, healed] = [milliseconds(outcome.noticed), milliseconds(outcome.healed)]
  screen.done(`${name.padEnd(NAME_WIDTH)}${count(outcome.keys, 'key')}: noticed in ${noticed}, healed in ${healed}`)
  return outcome
}

async function verify({ rekindle }: Scene, screen: Screen): Promise<boolean> {
  screen.busy('rekindle verify')
  const { status, lines } = await rekindle.run('verify')
  if (status === 0) screen.done('rekindle verify')
  else screen.failed('rekindle verify')
  for (const line of lines) screen.say(`  ${line}`)
  return status === 0
}
