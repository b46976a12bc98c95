import { Argument, type Command } from 'commander'
import type { Answer } from './answer.js'
import { ACTS } from './backup.js'
import { bashCompletion } from './completion-bash.js'
import { readWords } from './completion-words.js'
import { zshCompletion } from './completion-zsh.js'

const SHELLS = { bash: bashCompletion, zsh: zshCompletion }

const INSTALL = `
To have it in every shell of yours:
  echo 'source <(rekindle completion bash)' >> ~/.bashrc
  echo 'source <(rekindle completion zsh)' >> ~/.zshrc   (after compinit)

For all users:
  rekindle completion bash > /usr/share/bash-completion/completions/rekindle
  rekindle completion zsh > /usr/share/zsh/vendor-completions/_rekindle`

/** Adds the command that prints a script for a shell, which knows all commands of the program. It needs no configuration. */
export function addCompletion(program: Command, done: (answer: Answer) => void): void {
  program
    .command('completion')
    .summary('print a script that completes commands and options')
    .description('Prints a script with which bash or zsh completes commands, options and the names of files.')
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(SHELLS)))
    .addHelpText('after', INSTALL)
    .action((shell: keyof typeof SHELLS) => {
      const { flags, commands } = readWords(program, { backup: Object.keys(ACTS) })
      const script = SHELLS[shell](flags, commands)
      done({ lines: [script], data: { script }, troubles: [] })
    })
}
