import type { Flag, Value, Words } from './completion-words.js'

/** The function that completes a command line in zsh, with what each word means. */
export function zshCompletion(flags: readonly Flag[], commands: readonly Words[]): string {
  return `#compdef rekindle
# Completion of rekindle for zsh: source <(rekindle completion zsh), after compinit
_rekindle() {
  local curcontext=$curcontext state line
  local -A opt_args
  local -a commands=(
${commands.map(({ name, about }) => `    ${quote(`${name}:${about}`)}`).join('\n')}
  )
  _arguments -C \\
${flags.map((flag) => `    ${option(flag)} \\`).join('\n')}
    '1:command:->command' '*::argument:->argument' && return
  if [[ $state == command ]]; then
    _describe command commands
    return
  fi
  case $words[1] in
${commands.map(argumentsOf).join('\n')}
  esac
}
if [[ $funcstack[1] == _rekindle ]]; then _rekindle "$@"; else compdef _rekindle rekindle; fi`
}

function argumentsOf({ name, flags, acts }: Words): string {
  const places = acts.length > 0 ? [quote(`1:${action(acts)}`)] : []
  return `  ${name})\n    _arguments ${[...flags.map(option), ...places].join(' \\\n      ')}\n    ;;`
}

/** Each may stand there again, as some may be repeated. */
function option({ names, about, value }: Flag): string {
  const said = `[${about.replace(/[[\]\\]/g, '\\$&')}]`
  const followed = value === undefined ? '' : `:${action(value)}`
  return names
    .map((name) => quote(`*${name}${value === undefined ? '' : name.startsWith('--') ? '=' : '+'}${said}${followed}`))
    .join(' ')
}

/** A message, and what to complete with. */
function action(value: Value): string {
  if (value === 'file') return 'file:_files'
  if (value === 'folder') return 'folder:_files -/'
  return value.length > 0 ? `word:(${value.join(' ')})` : 'value: '
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
