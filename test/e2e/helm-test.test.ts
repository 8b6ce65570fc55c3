import { expect, test } from 'vitest'
import { releaseNamespace } from '../../scripts/install.ts'
import { run } from '../../scripts/run.ts'
import { testCluster } from '../support/kubernetes.ts'

// `helm test` as people run it, on the release that `make up` made: it passes, and leaves nothing behind.

test('helm test passes on a release that works', async () => {
  const found = await testCluster()
  const args = ['--namespace', releaseNamespace, '--kubeconfig', found.cluster.kubeconfig]
  const text = await run(found.cluster.helm, ['test', 'holdfast', ...args, '--timeout', '4m'], {
    timeoutMs: 5 * 60_000,
  })
  expect(text).toMatch(/TEST SUITE:\s+holdfast-test/)
  expect(text).toMatch(/Phase:\s+Succeeded/)
  const left = [
    'get',
    'pod/holdfast-test',
    'serviceaccount/holdfast-test',
    '--ignore-not-found',
    '-o',
    'name',
  ]
  expect(await found.kubectl([...left, '--namespace', releaseNamespace])).toBe('')
})
