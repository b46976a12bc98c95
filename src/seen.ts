/**
 * What the system lets us see of other processes and their files. What it hides, or what has ended meanwhile, is `otherwise`: no finding is
 * drawn from it.
 */
export function seen<T, Hidden>(asked: Promise<T>, otherwise: Hidden): Promise<T | Hidden> {
  // Said above.
  return asked.catch(() => otherwise)
}
