import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import type { Layout } from './daemon.js'
import { type Figure, isMet, type Section, sectionLines } from './figures.js'
import { measureIdle } from './idle.js'
import { measureLatency } from './latency.js'
import { measureNominal } from './nominal.js'
import { depthFigures, measurePair, symbolFigures } from './scaling.js'
import { DEEP, SHALLOW, type Stage, seed, setStage } from './stage.js'
import { measureTriggerCost } from './trigger-cost.js'

const HELP = `usage: npm run bench -- [--quick] [--full] [--json]

  --quick  fewer rounds, and the restore and the latency only
  --full   5,000 symbols, too: some minutes longer
  --json   one JSON object instead of the table

Exit status: 0 it ran, whether or not the targets are met; 1 it could not, or what was restored is not right; 2 a wrong call`

interface Options {
  readonly quick: boolean
  readonly full: boolean
  readonly json: boolean
}

function readOptions(): Options | undefined {
  try {
    const flag = { type: 'boolean', default: false } as const
    const { values } = parseArgs({ options: { quick: flag, full: flag, json: flag, help: { ...flag, short: 'h' } } })
    if (!values.help) return values
    console.log(HELP)
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 2
  }
  return undefined
}

async function main({ quick, full, json }: Options): Promise<number> {
  const sections: Section[] = []
  const stage = await setStage()
  const say = (section: Section): void => {
    sections.push(section)
    if (!json) console.log(sectionLines(section).join('\n'))
  }
  try {
    if (!json) console.log([stage.description, ...busyLines(), ''].join('\n'))
    await measureAll(stage, quick, full, say)
  } catch (error) {
    console.error(`the benchmark failed: ${(error as Error).message}`)
    return 1
  } finally {
    await stage.close()
  }
  const all = sections.flatMap(({ figures }) => figures.filter((figure) => typeof figure !== 'string'))
  if (json) console.log(JSON.stringify({ machine: stage.description, figures: all.map(withVerdict) }))
  else console.log(summary(all))
  return 0
}

async function measureAll(stage: Stage, quick: boolean, full: boolean, say: (section: Section) => void): Promise<void> {
  const layouts: Layout[] = stage.redis.hasTimeSeries ? ['timeseries', 'sortedset'] : ['sortedset']
  const layout = layouts[0] as Layout
  const deep = await seed(stage, 50, quick ? SHALLOW : DEEP)
  for (const each of layouts) {
    const figures = await measureNominal(stage, deep, each, quick ? 3 : 9)
    say({ title: `Nominal restore, ${each}`, about: NOMINAL, figures })
  }
  const shallow = quick ? deep : await seed(stage, 50, SHALLOW)
  if (!quick) {
    const figures = depthFigures(await measurePair(stage, layout, shallow, deep, 7))
    for (const symbols of full ? [500, 5_000] : [500]) {
      const many = await seed(stage, symbols, SHALLOW)
      figures.push(...symbolFigures(symbols, await measurePair(stage, layout, shallow, many, 3)))
    }
    say({ title: `Scaling, ${layout}`, about: SCALING, figures })
  }
  say({ title: 'Following PostgreSQL', about: FOLLOWING, figures: await measureLatency(stage, shallow, layout) })
  if (!quick) say({ title: 'Idle', about: IDLE, figures: await measureIdle(stage, shallow, layout) })
  say({
    title: 'What triggers cost a writer',
    about: TRIGGERS,
    figures: await measureTriggerCost(stage, quick ? 3 : 15),
  })
}

const NOMINAL = [
  '50 symbols x 3 timeframes x 250 candles and 6,000 indicator fields, from',
  'FLUSHALL until all is verified; the references end when all is written.',
]
const SCALING = ['From FLUSHALL until all is verified, in turns with 50 symbols.']
const FOLLOWING = ['1,000 indicator values change a second, for 10 seconds.']
const TRIGGERS = ['Each until it is committed, in turns without triggers and with them.']
const IDLE = ['50 symbols, nothing happens, for 15 seconds.']

/** Whatever else runs shares the cores with the daemon, PostgreSQL and Redis. */
function busyLines(): string[] {
  const [load = 0] = loadavg()
  return load > cpus().length / 2
    ? [`The machine is busy (load ${load.toFixed(1)}): expect times above what they could be.`]
    : []
}

function withVerdict(figure: Figure): object {
  const met = isMet(figure)
  return met === undefined ? figure : { ...figure, met }
}

function summary(figures: readonly Figure[]): string {
  const judged = figures.filter(({ target }) => target)
  const missed = judged.filter((figure) => !isMet(figure))
  if (missed.length === 0) return `All ${judged.length} targets are met.`
  return `${judged.length - missed.length} of ${judged.length} targets are met; missed: ${missed.map(({ id }) => id).join(', ')}`
}

const options = readOptions()
if (options) process.exitCode = await main(options)
