import { expect, test } from 'vitest'
import { goingMessage } from './going-namespace.ts'

// Whoever waits for a namespace that never goes is told what holds it.

const namespace = (status?: object) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'holdfast-0123456789abcdef' },
  ...(status && { status }),
})
const condition = (type: string, status: string, message: string) => ({ type, status, message })

test.each([
  ['nothing is said', undefined, ''],
  ['conditions are none', { conditions: 'none' }, ''],
  ['all went', { conditions: [condition('NamespaceContentRemaining', 'False', 'All content removed')] }, ''],
  [
    'a finalizer holds it',
    {
      conditions: [
        condition('NamespaceContentRemaining', 'True', 'rolebindings. has 1 resource instances'),
        condition('NamespaceFinalizersRemaining', 'True', 'example.com/keep in 1 resource instances'),
      ],
    },
    ': example.com/keep in 1 resource instances',
  ],
  [
    'something is left',
    { conditions: [condition('NamespaceContentRemaining', 'True', 'pods. has 1 resource instances')] },
    ': pods. has 1 resource instances',
  ],
])('%s', (_what, status, more) => {
  expect(goingMessage(namespace(status))).toBe(`Namespace holdfast-0123456789abcdef is being deleted${more}`)
})
