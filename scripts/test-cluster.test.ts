import { describe, expect, test } from 'vitest'
import { testClusterKind } from './test-cluster.ts'

// Nobody's cluster is tested on by accident.

describe('without another word the tests run on the single node of our own', () => {
  test.each([{}, { CLUSTER: '' }, { CLUSTER: 'local' }, { HOLDFAST_TEST_CLUSTER: 'current' }])(
    '%j',
    (environment) => {
      expect(testClusterKind(environment)).toBe('local')
    },
  )
})

test.each(['current', 'kind'])('%s must be meant twice', (kind) => {
  const meant = `set HOLDFAST_TEST_CLUSTER=${kind} as well`
  expect(() => testClusterKind({ CLUSTER: kind })).toThrow(meant)
  expect(() => testClusterKind({ CLUSTER: kind, HOLDFAST_TEST_CLUSTER: 'local' })).toThrow(meant)
  expect(testClusterKind({ CLUSTER: kind, HOLDFAST_TEST_CLUSTER: kind })).toBe(kind)
})
