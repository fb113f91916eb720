import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Much of the time is spent waiting for rounds, commits and browsers: one more than the processors that are wanted.
    maxWorkers: 3,
    // For the processes that tests start, as `npm run xinqiao` has it.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules', '.cache', 'xinqiao') },
  },
})
