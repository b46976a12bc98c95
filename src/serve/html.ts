/** Text that is markup already. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = Html | string | number | false | undefined | readonly Part[]

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Markup with values in it. Values that are not `Html` themselves are escaped; false and undefined are nothing. */
export function html(strings: TemplateStringsArray, ...values: readonly Part[]): Html {
  let text = strings[0] ?? ''
  for (const [i, value] of values.entries()) text += write(value) + (strings[i + 1] ?? '')
  return new Html(text)
}

function write(value: Part): string {
  if (value instanceof Html) return value.text
  if (value === undefined || value === false) return ''
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' ? escapeHtml(value) : value.map(write).join('')
}

/** Escaped for elements and quoted attributes; what is invisible, and what turns the direction of writing, is shown as a mark. */
export function escapeHtml(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '\u{FFFD}')
    .replace(/[&<>"']/g, (letter) => ESCAPES[letter] ?? '')
}
