/** A dataset, as far as it matters for the lanes that it goes in. */
export interface Placed {
  readonly name: string
  /** The lane of its own, for one that knows no symbols; absent: it goes with every enabled symbol. */
  readonly lane?: string
}

/** The names of the datasets that go with each lane: an enabled symbol, or what stands for itself. */
export type Lanes = ReadonlyMap<string, readonly string[]>

/** Which datasets go with which lane. A symbol that is called like a lane shares it. */
export function lanesOf(datasets: readonly Placed[], symbols: readonly string[]): Lanes {
  const shared = datasets.flatMap(({ name, lane }) => (lane === undefined ? [name] : []))
  const lanes = new Map<string, readonly string[]>()
  if (shared.length > 0) for (const symbol of symbols) lanes.set(symbol, shared)
  for (const { name, lane } of datasets) if (lane !== undefined) lanes.set(lane, [...(lanes.get(lane) ?? []), name])
  return lanes
}

/** The lanes that a dataset goes with, in order. */
export function lanesWith(lanes: Lanes, dataset: string): string[] {
  return [...lanes].flatMap(([lane, datasets]) => (datasets.includes(dataset) ? [lane] : []))
}
