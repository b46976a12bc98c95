export type Symbol_ = string
