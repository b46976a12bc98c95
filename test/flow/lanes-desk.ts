import { Subject } from 'rxjs'
import { type LanesOptions, lanes } from '../../src/flow/lanes.js'
import { Desk, record } from './desk.js'

export interface Item {
  lane: string
  group: string
  rank: number
  text: string
}

/** `A/m1` is a task of lane A in group m1; groups rank in the order m1, m5, m15. */
export function item(name: string): Item {
  const [lane = '', group = '', text = ''] = name.split('/')
  return { lane, group, rank: ['m1', 'm5', 'm15'].indexOf(group), text }
}

export const nameOf = ({ lane, group, text }: Item): string => (text ? `${lane}/${group}/${text}` : `${lane}/${group}`)

/** Lanes with their source and their desk. */
export function setUp(limits: Partial<Pick<LanesOptions<Item, string>, 'batchSize' | 'concurrency'>> = {}) {
  const source = new Subject<Item>()
  const desk = new Desk<readonly Item[], string>()
  const options: LanesOptions<Item, string> = {
    lane: ({ lane }) => lane,
    group: ({ group }) => group,
    rank: ({ rank }) => rank,
    merge: (waiting, newer) => ({ ...waiting, text: `${waiting.text}+${newer.text}` }),
    run: desk.run,
    batchSize: 3,
    concurrency: 2,
    ...limits,
  }
  const { told, subscription } = record(source.pipe(lanes(options)))
  return {
    source,
    desk,
    told,
    subscription,
    options,
    send: (names: string) => {
      for (const name of names.split(' ')) source.next(item(name))
    },
    /** The batches that were started, each as its tasks' names. */
    started: () => desk.requests.map((batch) => batch.map(nameOf).join(' ')),
  }
}
