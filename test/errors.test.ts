import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { findSwallowed } from './support/swallowed.js'

describe('an error that is caught', () => {
  it('is told to somebody, or a comment says why nobody needs to know', () => {
    expect(findSwallowed(fileURLToPath(new URL('..', import.meta.url)), 'tsconfig.build.json')).toEqual([])
  })
})

describe('the search for errors that end where they are caught', () => {
  const folders: string[] = []
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
  })
  /** What is found in a file of these lines, by their numbers. */
  const linesFound = (...lines: string[]): number[] => {
    const dir = mkdtempSync(join(tmpdir(), 'swallowed-'))
    folders.push(dir)
    const head = 'declare const work: any, tell: any, catchError: any, wait: any'
    writeFileSync(join(dir, 'tried.ts'), [head, ...lines].join('\n'))
    writeFileSync(
      join(dir, 'tsconfig.json'),
      JSON.stringify({ files: ['tried.ts'], compilerOptions: { lib: ['es2022'] } }),
    )
    return findSwallowed(dir, 'tsconfig.json').map((place) => Number(place.split(':')[1]) - 1)
  }

  it.each([
    ['a bare catch', 'try { work() } catch {}'],
    ['a catch that only looks', "try { work() } catch (error: any) { if (error.code === 'E') wait() }"],
    [
      'an answer that is made of a look',
      "try { work() } catch (error: any) { const { code } = error; wait(code === 'E') }",
    ],
    ['a promise', 'work().catch(() => [])'],
    ['the second half of then', 'work().then(tell, () => undefined)'],
    ['an observable', 'work().pipe(catchError(() => []))'],
    ['a listener for errors', "work.on('error', () => undefined)"],
    ['a function that is named', 'work().catch(nothing); function nothing() { return undefined }'],
    ['a constant that is named', 'work().catch(nothing); const nothing = () => undefined'],
  ])('finds %s', (_, line) => {
    expect(linesFound(line)).toEqual([1])
  })

  it.each([
    ['what is thrown again', 'try { work() } catch (error) { throw error }'],
    ['what is given to somebody', 'work().catch((error: unknown) => tell(error))'],
    ['what something told is made of', 'work().catch((error: any) => { const { code } = error; tell(code) })'],
    ['what is answered with', 'work().catch((error: any) => error.message)'],
    ['a function that throws', 'work().catch(only); function only(error: any) { if (error.code) throw error }'],
    ['a comment on the line', 'work().catch(() => []) // Nobody listens.'],
    ['a comment above', '// Nobody listens.\nwork().catch(() => [])'],
    ['a comment inside', 'try { work() } catch {\n  // Nobody listens.\n}'],
    ['a comment above what goes over lines', '// Nobody listens.\nwork()\n  .catch(() => [])'],
    [
      'a function that says so',
      'work().catch(nothing)\n/** Nobody listens. */\nfunction nothing() { return undefined }',
    ],
  ])('lets %s pass', (_, text) => {
    expect(linesFound(...text.split('\n'))).toEqual([])
  })
})
