import { defineConfig } from 'vitest/config'

/**
 * One project for each layer of tests; `scripts/test.ts` runs them in the order cheap to dear. Times here only end what
 * hangs, on slow machines too: what a test promises of time it says itself.
 */
const layer = (name: string, include: string[], more: object = {}) => ({
  test: { name, include, environment: 'node', expect: { poll: { timeout: 60_000 } }, ...more },
})

export default defineConfig({
  test: {
    projects: [
      layer(
        'unit',
        [
          '{common,operator,gateway,storage-node,plugin,local-kubernetes,scripts,test/bench,test/chaos,test/support}/**/*.test.ts',
        ],
        { testTimeout: 120_000, hookTimeout: 120_000 },
      ),
      layer('tidy', ['test/tidy/**/*.test.ts'], { testTimeout: 120_000, hookTimeout: 120_000 }),
      layer('simulation', ['test/simulation/**/*.test.ts'], { testTimeout: 1_800_000 }),
      layer('operator', ['test/operator/**/*.test.ts'], {
        testTimeout: 600_000,
        hookTimeout: 120_000,
        maxWorkers: 2,
      }),
      layer('node', ['test/node/**/*.test.ts'], { testTimeout: 300_000, hookTimeout: 120_000 }),
      layer('control-plane', ['test/integration/**/*.test.ts'], {
        globalSetup: ['test/integration/control-plane.ts'],
        testTimeout: 300_000,
        hookTimeout: 900_000,
        fileParallelism: false,
      }),
      layer('gitops', ['test/gitops/**/*.test.ts'], {
        globalSetup: ['test/integration/control-plane.ts'],
        testTimeout: 300_000,
        hookTimeout: 900_000,
        fileParallelism: false,
      }),
      layer('e2e', ['test/e2e/**/*.test.ts'], {
        testTimeout: 600_000,
        hookTimeout: 1_800_000,
        fileParallelism: false,
        maxWorkers: 1,
      }),
      layer('leaks', ['test/leaks/**/*.test.ts'], { testTimeout: 300_000, hookTimeout: 60_000 }),
    ],
  },
})
