import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Those that take longest when nothing else runs, in this order. None of them may be begun last, when the other processors
 * have nothing left to do; how long a file took the last time is known only where the suite has run before.
 */
const longest = [
  'exchange/witness',
  'ledger/search',
  'exchange/renewal',
  'console/browser',
  'cli',
  'operations/workers',
  'console/browser-asked',
  'crash',
  'evidence',
  'chaos',
  'console/staff',
  'ledger/crash',
  'ledger/tampering',
  'ledger/append',
]

for (const name of longest) {
  if (!existsSync(join(import.meta.dirname, 'test', `${name}.test.ts`)))
    throw new RangeError(`there is no test ${name}`)
}

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = longest.findIndex(name => moduleId.endsWith(`/test/${name}.test.ts`))
      return at === -1 ? longest.length : at
    }
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b))
  }
}

/** They leave nothing behind in their process that another could see: so one process takes file after file, and imports all once. */
const together = ['test/{protocol,schema,trust}/**/*.test.ts']
/** Looks at the memory and at the times of its process, which has to be its own. */
const alone = ['test/trust/fuzz.test.ts']

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Much of the time is spent waiting for rounds, commits and browsers: one more than the processors that are wanted.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // For the processes that tests start, as `npm run xinqiao` has it.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules', '.cache', 'xinqiao') },
    projects: [
      { extends: true, test: { name: 'each by itself', include: ['test/**/*.test.ts'], exclude: together } },
      { extends: true, test: { name: 'alone', include: alone } },
      { extends: true, test: { name: 'together', include: together, exclude: alone, isolate: false } },
    ],
  },
})
