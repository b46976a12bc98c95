/** Told when work begins that should not be cut off; gives what is to be called, once, when it is over. */
export type BeginWork = () => () => void

/** Where nobody wants to know. */
export const unwatched: BeginWork = () => () => undefined
