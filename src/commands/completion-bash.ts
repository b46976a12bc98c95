import type { Flag, Value, Words } from './completion-words.js'

/** The function that completes a command line in bash 4 and newer. */
export function bashCompletion(flags: readonly Flag[], commands: readonly Words[]): string {
  const all = [...flags, ...commands.flatMap((command) => command.flags)]
  const followed = all.filter(({ value }) => value !== undefined)
  const values = new Map(followed.map(({ names, value }) => [names.join('|'), value ?? []]))
  const places = [
    ['', commands.map(({ name }) => name)] as const,
    ...commands.filter(({ acts }) => acts.length > 0).map(({ name, acts }) => [name, acts] as const),
  ]
  return `# Completion of rekindle for bash 4 and newer: source <(rekindle completion bash)
_rekindle() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} command= words=
  local -i i at=0
  COMPREPLY=()
  # --config=FILE comes as three words.
  if [[ $word == '=' ]]; then word=; elif [[ $before == '=' ]]; then before=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
    ${[...values.keys()].join('|')})
      [[ \${COMP_WORDS[i + 1]} != '=' ]] || i=i+1
      i=i+1
      ;;
    -* | =) ;;
    *) if [[ -z $command ]]; then command=\${COMP_WORDS[i]}; else at=at+1; fi ;;
    esac
  done
  case $before in
${[...values].map(([names, value]) => `  ${names}) ${completing(value)}; return ;;`).join('\n')}
  esac
  if [[ $word == -* ]]; then
    case $command in
    '') words='${namesOf(flags)}' ;;
${commands.map(({ name, flags }) => `    ${name}) words='${namesOf(flags)}' ;;`).join('\n')}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    return
  fi
  ((at == 0)) || return 0
  case $command in
${places.map(([name, words]) => `  '${name}') ${completing(words)} ;;`).join('\n')}
  esac
}
complete -F _rekindle rekindle`
}

/** The names of files are left to readline, which knows about ~, quotes and spaces. */
function completing(value: Value): string {
  if (value === 'file') return 'compopt -o default'
  if (value === 'folder') return 'compopt -o dirnames'
  return value.length > 0 ? `COMPREPLY=($(compgen -W '${value.join(' ')}' -- "$word"))` : ':'
}

/** The long names, which say what they mean. */
function namesOf(flags: readonly Flag[]): string {
  return flags.map(({ names }) => names.at(-1)).join(' ')
}
