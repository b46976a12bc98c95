/** Finds where an error is caught and ends: nobody is told, and no comment says why nobody needs to be. */

import { relative, resolve } from 'node:path'
import type { Expression, Node, SourceFile } from 'typescript/unstable/ast'
import { SyntaxKind } from 'typescript/unstable/ast'
import {
  isArrowFunction,
  isBinaryExpression,
  isBlock,
  isCallExpression,
  isCatchClause,
  isConditionalExpression,
  isFunctionDeclaration,
  isFunctionExpression,
  isIdentifier,
  isIfStatement,
  isPrefixUnaryExpression,
  isPropertyAccessExpression,
  isStringLiteral,
  isThrowStatement,
  isVariableDeclaration,
} from 'typescript/unstable/ast/is'
import { API } from 'typescript/unstable/sync'

/** What is done with an error: `error` is its name, undefined where nobody looks at it. */
interface Handler {
  readonly error: Node | undefined
  readonly body: Node
}

/** Comparing an error is looking at it; what is done with it then is another question. */
const COMPARISONS = new Set([
  SyntaxKind.EqualsEqualsEqualsToken,
  SyntaxKind.ExclamationEqualsEqualsToken,
  SyntaxKind.InstanceOfKeyword,
  SyntaxKind.InKeyword,
])
const LOOKS = /^(test|startsWith|endsWith|includes|has)$/
const COMMENT = /^\s*(\/\/|\/?\*)|\S\s+\/\/ /

/** The places in the files of a project, as `file:line: text`. */
export function findSwallowed(root: string, project: string): string[] {
  const api = new API({ cwd: root })
  try {
    const snapshot = api.updateSnapshot({ openProjects: [resolve(root, project)] })
    const { program } = snapshot.getProjects()[0] ?? {}
    const sources = (program?.getSourceFileNames() ?? [])
      .filter((name) => !name.includes('node_modules') && !name.endsWith('.d.ts'))
      .map((name) => program?.getSourceFile(name))
      .filter((source) => source !== undefined)
    const named = new Map<string, Map<SourceFile, boolean>>()
    for (const source of sources) collectNamed(source, source, named)
    return sources.flatMap((source) =>
      placesIn(source, named).map(([line, text]) => `${relative(root, source.fileName)}:${line}: ${text}`),
    )
  } finally {
    api.close()
  }
}

/** Notes of every function whether it may be given an error: it hands it on, or says in its documentation why not. */
function collectNamed(node: Node, source: SourceFile, named: Map<string, Map<SourceFile, boolean>>): void {
  const [name, its] = isFunctionDeclaration(node)
    ? [node.name, node]
    : isVariableDeclaration(node) && node.initializer && isFunction(node.initializer)
      ? [node.name, node.initializer]
      : []
  if (name && its?.body && isIdentifier(name)) {
    const may = handsOn({ error: its.parameters[0]?.name, body: its.body }) || isDocumented(node, source)
    named.set(name.text, (named.get(name.text) ?? new Map()).set(source, may))
  }
  node.forEachChild((child) => collectNamed(child, source, named))
}

function placesIn(source: SourceFile, named: Map<string, Map<SourceFile, boolean>>): [line: number, text: string][] {
  const lines = source.text.split('\n')
  const lineOf = (at: number): number => source.text.slice(0, at).split('\n').length - 1
  const found: [number, string][] = []
  const check = (handler: Node, statement: Node): void => {
    if (isIdentifier(handler)) {
      const known = named.get(handler.text)
      if (known && (known.get(source) ?? [...known.values()].every(Boolean))) return
      // A parameter or an imported function is somebody else's to judge.
      if (!known) return
    } else if (isCatchClause(handler) || isFunction(handler)) {
      if (handsOn(handlerOf(handler))) return
    } else return
    const at = lineOf(handler.getStart(source))
    const body = isCatchClause(handler) ? handler.block : isFunction(handler) ? handler.body : undefined
    const inside = body && isBlock(body) ? [lineOf(body.getStart(source)) + 1] : []
    const above = isCatchClause(handler) ? [] : [at - 1, lineOf(statement.getStart(source)) - 1]
    if (![at, ...inside, ...above].some((line) => COMMENT.test(lines[line] ?? '')))
      found.push([at + 1, (lines[at] ?? '').trim()])
  }
  const visit = (node: Node, statement: Node): void => {
    const nearest = node.kind >= SyntaxKind.FirstStatement && node.kind <= SyntaxKind.LastStatement ? node : statement
    if (isCatchClause(node)) check(node, nearest)
    const handler = handlerArgument(node)
    if (handler) check(handler, nearest)
    node.forEachChild((child) => visit(child, nearest))
  }
  visit(source, source)
  return found
}

/** `.catch(it)`, `catchError(it)`, `.then(…, it)` and `.on('error', it)`. */
function handlerArgument(node: Node): Expression | undefined {
  if (!isCallExpression(node)) return undefined
  const { expression: callee, arguments: given } = node
  const name = isPropertyAccessExpression(callee) ? callee.name.text : isIdentifier(callee) ? callee.text : ''
  const [first, second] = given
  if (name === 'catch' || name === 'catchError') return first
  const isOfErrors = first && isStringLiteral(first) && first.text === 'error'
  return name === 'then' || (/^(on|once)$/.test(name) && isOfErrors) ? second : undefined
}

function handlerOf(node: Node): Handler {
  if (isCatchClause(node)) return { error: node.variableDeclaration?.name, body: node.block }
  if (isFunction(node) && node.body) return { error: node.parameters[0]?.name, body: node.body }
  return { error: undefined, body: node }
}

function isFunction(node: Node) {
  return isArrowFunction(node) || isFunctionExpression(node)
}

/** True if the error, or something made of it, is thrown, given to somebody, kept or answered with. */
function handsOn({ error, body }: Handler): boolean {
  const names = new Set<string>()
  const learn = (name: Node): void => {
    if (isIdentifier(name)) names.add(name.text)
    else name.forEachChild(learn)
  }
  if (error) learn(error)
  const mentions = (node: Node): boolean =>
    (isIdentifier(node) && names.has(node.text)) || some(node, (child) => mentions(child))
  const hands = (node: Node): boolean => {
    if (isThrowStatement(node)) return true
    if (isIfStatement(node)) return hands(node.thenStatement) || (!!node.elseStatement && hands(node.elseStatement))
    if (isConditionalExpression(node)) return hands(node.whenTrue) || hands(node.whenFalse)
    if (isBinaryExpression(node) && COMPARISONS.has(node.operatorToken.kind)) return false
    if (isPrefixUnaryExpression(node)) return false
    if (isCallExpression(node) && isPropertyAccessExpression(node.expression) && LOOKS.test(node.expression.name.text))
      return false
    if (isVariableDeclaration(node)) {
      if (node.initializer && mentions(node.initializer)) learn(node.name)
      return false
    }
    return (isIdentifier(node) && names.has(node.text)) || some(node, hands)
  }
  return hands(body)
}

function some(node: Node, test: (child: Node) => boolean): boolean {
  let found = false
  node.forEachChild((child) => {
    found ||= test(child)
  })
  return found
}

function isDocumented(node: Node, source: SourceFile): boolean {
  return /\*\/\s*(export\s+)?(async\s+)?(function|const)?\s*$/.test(source.text.slice(0, node.getStart(source)))
}
