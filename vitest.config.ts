import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Most of the long ones wait for a runtime of their own; Vitest would leave one of two cores to itself.
    maxWorkers: 2,
    // No test is about time: these only end one that hangs, on a machine that is busy with Spark beside it.
    testTimeout: 60_000,
    hookTimeout: 180_000,
  },
})
