/** Adds at the end, and takes away at the beginning what is too much. */
export function keepLast<T>(items: T[], item: T, most: number): void {
  items.push(item)
  if (items.length > most) items.splice(0, items.length - most)
}

/** Sets what is there already, or what there is still room for; anything may call itself by any number of names. */
export function setWithin<Key, Value>(map: Map<Key, Value>, key: Key, value: Value, most: number): void {
  if (map.has(key) || map.size < most) map.set(key, value)
}

/** Text of others, cut short. */
export function cut(text: string, longest = 300): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}
