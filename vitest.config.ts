import { defineConfig } from 'vitest/config'

const { CI, REKINDLE_TEST_REDIS_URL } = process.env

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/global-setup.ts',
    pool: 'forks',
    // One Redis of the user's own cannot serve two files at once: each empties it.
    // Much of a test is waiting for servers, so there is room for one more than the two processors that a machine has at least.
    maxWorkers: REKINDLE_TEST_REDIS_URL ? 1 : 3,
    // A command that repairs watches what differs for the settling time, once before and once after.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: CI ? ['default', ['json', { outputFile: '.build/tests.json' }]] : ['default'],
  },
})
