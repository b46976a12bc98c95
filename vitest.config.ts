import { defineConfig } from 'vitest/config'

const { CI, REKINDLE_TEST_REDIS_URL } = process.env

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/global-setup.ts',
    pool: 'forks',
    // One Redis of the user's own cannot serve two files at once: each empties it.
    maxWorkers: REKINDLE_TEST_REDIS_URL ? 1 : 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: CI ? ['default', ['json', { outputFile: '.build/tests.json' }]] : ['default'],
  },
})
