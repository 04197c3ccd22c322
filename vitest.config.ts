import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // No test is about time: these only end one that hangs, on a machine that is busy with Spark beside it.
    testTimeout: 60_000,
    hookTimeout: 180_000,
  },
})
