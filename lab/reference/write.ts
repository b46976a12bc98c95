// Writes the generated references of the project in whose folder it is run: `npm run docs`.
import { writeFileSync } from 'node:fs'
import { referencePages } from './pages.js'

for (const [name, text] of await referencePages(process.cwd())) writeFileSync(name, text)
