/** Cuts a list into pieces of at most `count` items and about `size` in all; one item alone may be larger. */
export function chunksOf<T>(
  items: readonly T[],
  limits: { count: number; size: number },
  sizeOf: (item: T) => number,
): T[][] {
  const chunks: T[][] = []
  let chunk: T[] = []
  let total = 0
  for (const item of items) {
    const size = sizeOf(item)
    if (chunk.length === 0 || chunk.length === limits.count || total + size > limits.size) {
      chunk = []
      total = 0
      chunks.push(chunk)
    }
    chunk.push(item)
    total += size
  }
  return chunks
}

/** Chunks under way at once: while Redis works on one, the next is made ready. */
const CONCURRENCY = 2

/** Does the work of each chunk, a few at a time, and gives what each came to, in order. */
export async function overChunks<T, R>(chunks: readonly T[][], work: (chunk: T[]) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let i = next++; i < chunks.length; i = next++) results[i] = await work(chunks[i] as T[])
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  return results
}
