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
