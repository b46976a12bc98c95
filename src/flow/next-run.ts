/** Gives a function that runs `act` for whoever calls it, beginning after the call: those who come while it runs have the next run in common. */
export function nextRun<Result>(act: () => Promise<Result>): () => Promise<Result> {
  let running: Promise<unknown> | undefined
  let next: Promise<Result> | undefined
  const begin = (): Promise<Result> => {
    next = undefined
    const run = act()
    // How it ended is told to whoever asked for it.
    const ended = run.then(
      () => undefined,
      () => undefined,
    )
    running = ended
    void ended.then(() => {
      if (running === ended) running = undefined
    })
    return run
  }
  return () => {
    if (!running) return begin()
    next ??= running.then(begin)
    return next
  }
}
