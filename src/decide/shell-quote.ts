/** One word for a POSIX shell, whatever the text holds: `q's:*` -> `'q'\''s:*'`. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
