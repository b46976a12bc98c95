/** The classes that our events need in `notify-keyspace-events`: keyevents; generic, string, expired, evicted. */
const NEEDED = ['E', 'g', '$', 'x', 'e']

/** Adds the classes we need to what the server already announces for others; `undefined` if nothing is to add. */
export function extendNotifyFlags(flags: string): string | undefined {
  // `A` stands for every class but E, K and a few rare ones.
  const has = (flag: string): boolean => flags.includes(flag) || (flag !== 'E' && flags.includes('A'))
  const missing = NEEDED.filter((flag) => !has(flag))
  return missing.length === 0 ? undefined : flags + missing.join('')
}
