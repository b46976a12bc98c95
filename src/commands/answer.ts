import { redactUrl } from '../config/redact.js'
import { ConfigError, Trouble } from '../errors.js'

/** What a command came to: printed, and turned into the exit status, in one place. */
export interface Answer {
  /** For a person, on stdout. */
  readonly lines: readonly string[]
  /** For a machine, on stdout, after `ok` and what went wrong. */
  readonly data: object
  /** What went wrong, on stderr, a line each; the first one's code stands for all. */
  readonly troubles: readonly Trouble[]
  /** False where it went wrong without any trouble. */
  readonly ok?: boolean
}

const REPORT = 'this is a bug in Rekindle, please report it'

/** Prints an answer, as text or as one JSON object, and gives the exit status. */
export function printAnswer({ lines, data, troubles, ok = true }: Answer, json: boolean): number {
  const [first] = troubles
  const isFine = ok && !first
  if (json) printJson({ ok: isFine, ...(first && tell(first)), ...data })
  else for (const line of lines) print(process.stdout, line)
  for (const trouble of troubles) {
    const { error, hint } = tell(trouble)
    print(process.stderr, `rekindle: ${error}; ${hint}`)
  }
  return isFine ? 0 : 1
}

/** Prints why a command ended early, and gives the exit status. What is no error of ours is a bug and shows its stack. */
export function printFailure(error: unknown, json: boolean): number {
  if (error instanceof Trouble) return printAnswer({ lines: [], data: {}, troubles: [error] }, json)
  if (error instanceof ConfigError) {
    const message = oneLine(error.message)
    if (json) printJson({ ok: false, code: 'config', error: message, hint: 'see rekindle --help' })
    print(process.stderr, `rekindle: ${message}`)
    return 2
  }
  const stack = redactUrl((error instanceof Error && error.stack) || String(error))
  if (json) printJson({ ok: false, code: 'unexpected', error: stack.split('\n')[0], hint: REPORT })
  print(process.stderr, `rekindle: ${REPORT}\n${stack}`)
  return 1
}

/** A trouble as an answer tells it, without line breaks and passwords. */
export function tell({ code, message, hint }: Trouble): { code: string; error: string; hint: string } {
  return { code, error: oneLine(message), hint: oneLine(hint) }
}

/** The troubles of datasets, with their names; those that met the same share one. */
export function namedTroubles(troubles: ReadonlyMap<string, Trouble>): Trouble[] {
  const groups = new Map<string, string[]>()
  for (const [dataset, { message }] of troubles) groups.set(message, [...(groups.get(message) ?? []), dataset])
  return [...groups].flatMap(([message, datasets]) => {
    const first = troubles.get(datasets[0] ?? '')
    return first ? new Trouble(first.code, `${datasets.join(', ')}: ${message}`, first.hint, first.passing) : []
  })
}

function oneLine(text: string): string {
  return redactUrl(text).replace(/\s*\n\s*/g, ' ')
}

function printJson(value: object): void {
  print(process.stdout, JSON.stringify(value))
}

function print(stream: NodeJS.WriteStream, text: string): void {
  stream.write(`${text}\n`)
}
