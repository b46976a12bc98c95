/** What the types of a source file say, with the comments that stand before them. */

import { relative, resolve } from 'node:path'
import type { Node, SourceFile } from 'typescript/unstable/ast'
import {
  isInterfaceDeclaration,
  isPropertySignatureDeclaration,
  isTypeAliasDeclaration,
  isTypeLiteralNode,
  isUnionTypeNode,
} from 'typescript/unstable/ast/is'
import { API } from 'typescript/unstable/sync'

export interface Field {
  readonly name: string
  /** As written. */
  readonly type: string
  /** Empty where there is none. */
  readonly about: string
}

/** One type: its fields if it is an object, its members if it is a union. */
export interface Declared {
  readonly name: string
  readonly text: string
  readonly about: string
  readonly fields: readonly Field[]
  readonly members: readonly Declared[]
}

/** The types that these files declare, in the order written; `root` holds the project's tsconfig.json. */
export function readDeclarations(root: string, files: readonly string[]): Declared[] {
  const api = new API({ cwd: root })
  try {
    const snapshot = api.updateSnapshot({ openProjects: [resolve(root, 'tsconfig.build.json')] })
    return files.flatMap((file) => {
      const source = snapshot.getProjects()[0]?.program.getSourceFile(resolve(root, file))
      if (!source) throw new Error(`${relative(root, file)} is no file of the project`)
      return declarationsOf(source)
    })
  } finally {
    api.close()
  }
}

function declarationsOf(source: SourceFile): Declared[] {
  return source.statements.flatMap((statement): Declared[] => {
    const about = commentIn(source.text.slice(statement.pos, statement.getStart(source)))
    if (isInterfaceDeclaration(statement)) {
      const fields = fieldsOf(statement.members, source)
      return [{ name: statement.name.text, text: '', about, fields, members: [] }]
    }
    if (!isTypeAliasDeclaration(statement)) return []
    return [{ ...declare(statement.type, source), name: statement.name.text, about }]
  })
}

function declare(node: Node, source: SourceFile): Omit<Declared, 'name' | 'about'> {
  const text = node.getText(source)
  const fields = isTypeLiteralNode(node) ? fieldsOf(node.members, source) : []
  if (!isUnionTypeNode(node)) return { text, fields, members: [] }
  let end = node.pos
  const members = node.types.map((member): Declared => {
    // The comment stands before the bar, which is no part of the member.
    const about = commentIn(source.text.slice(end, member.getStart(source)))
    end = member.end
    return { ...declare(member, source), name: member.getText(source), about }
  })
  return { text, fields, members }
}

function fieldsOf(members: Iterable<Node>, source: SourceFile): Field[] {
  return [...members].filter(isPropertySignatureDeclaration).map((member) => ({
    name: member.name.getText(source),
    type: member.type.getText(source).replace(/\s+/g, ' '),
    about: commentIn(source.text.slice(member.pos, member.getStart(source))),
  }))
}

/** The text of the last comment of documentation, on one line. */
function commentIn(trivia: string): string {
  const comment = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*\|?\s*$/.exec(trivia)?.[1] ?? ''
  return comment
    .replace(/^\s*\* ?/gm, '')
    .replace(/\s+/g, ' ')
    .trim()
}
