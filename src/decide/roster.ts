/** What a newer list of symbols adds and takes away. */
export function compareRosters(
  before: readonly string[],
  after: readonly string[],
): { added: string[]; removed: string[] } {
  const [old, fresh] = [new Set(before), new Set(after)]
  return {
    added: after.filter((symbol) => !old.has(symbol)),
    removed: before.filter((symbol) => !fresh.has(symbol)),
  }
}
