import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

const { TMPDIR } = process.env
const folders: string[] = []

/** An empty folder that goes with the test file. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-recover-'))
  folders.push(folder)
  return folder
}

/** Puts everything temporary of this test file into a folder of its own, and gives its name. */
export function useOwnTemporaryFolder(): string {
  const folder = makeFolder()
  process.env['TMPDIR'] = folder
  return folder
}

afterAll(() => {
  process.env['TMPDIR'] = TMPDIR
  if (TMPDIR === undefined) delete process.env['TMPDIR']
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})
