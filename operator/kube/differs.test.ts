import { describe, expect, test } from 'vitest'
import { differs } from './differs.ts'
import { parseQuantity, sameQuantity } from './quantity.ts'

/*
 * The promise: null exactly when applying `desired` would change nothing that matters. A false difference is a write
 * in every pass for ever; a missed one leaves a tenant open or broken.
 */
const container = {
  name: 'node',
  image: 'a:1',
  env: [{ name: 'A', value: '1' }],
  ports: [{ name: 'http', containerPort: 8086 }],
  resources: { limits: { memory: '1Gi', cpu: '0.5' } },
}
const statefulSet = (more: object = {}, template: object = {}) => ({
  kind: 'StatefulSet',
  spec: { template: { spec: { containers: [{ ...container, ...more }], ...template } } },
})
const defaulted = {
  ports: [{ name: 'http', containerPort: 8086, protocol: 'TCP' }],
  resources: { limits: { memory: '1024Mi', cpu: '500m' } },
  terminationMessagePath: '/dev/termination-log',
}
const at = 'spec.template.spec.containers[node]'

describe('what the API server adds is no difference', () => {
  test.each<[string, object, object]>([
    ['nothing at all', {}, {}],
    ['defaults and other spellings of quantities', statefulSet(defaulted), statefulSet()],
    ['missing and empty', { spec: {} }, { spec: { a: null, b: {}, c: [] } }],
    ['null and empty', { spec: { a: [] } }, { spec: { a: null } }],
    ['labels of others', { metadata: { labels: { a: '1', b: '2' } } }, { metadata: { labels: { a: '1' } } }],
    ['finalizers of others', { metadata: { finalizers: ['x', 'y'] } }, { metadata: { finalizers: ['y'] } }],
    [
      'owners of others',
      { metadata: { ownerReferences: [{ uid: '1' }, { uid: '2' }] } },
      { metadata: { ownerReferences: [{ uid: '2' }] } },
    ],
    ['a false that it leaves out', { spec: {} }, { spec: { hostNetwork: false } }],
    [
      'an empty value that it leaves out',
      statefulSet({ env: [{ name: 'A' }] }),
      statefulSet({ env: [{ name: 'A', value: '' }] }),
    ],
    [
      'a node port',
      { kind: 'Service', spec: { ports: [{ port: 80, protocol: 'TCP', nodePort: 30_000 }] } },
      { kind: 'Service', spec: { ports: [{ port: 80 }] } },
    ],
    [
      'the defaults of a network policy',
      {
        kind: 'NetworkPolicy',
        spec: {
          podSelector: {},
          policyTypes: ['Egress'],
          egress: [{ ports: [{ port: 53, protocol: 'TCP' }] }],
        },
      },
      { kind: 'NetworkPolicy', spec: { podSelector: {}, egress: [{ ports: [{ port: 53 }] }] } },
    ],
    [
      'a quota in another unit',
      { spec: { hard: { storage: '10Gi', pods: '4' } } },
      { spec: { hard: { storage: '10240Mi', pods: 4 } } },
    ],
  ])('%s', (_name, live, desired) => {
    expect(differs(live, desired)).toBeNull()
  })
})

describe('drift is found, at its path', () => {
  test.each<[string, object, object, string]>([
    ['another image', statefulSet({ image: 'a:2' }), statefulSet(), `${at}.image`],
    [
      'a quantity',
      statefulSet({ resources: { limits: { memory: '1025Mi', cpu: '0.5' } } }),
      statefulSet(),
      `${at}.resources.limits.memory`,
    ],
    ['an environment variable gone', statefulSet({ env: [] }), statefulSet(), `${at}.env[A]`],
    [
      'another value of one',
      statefulSet({ env: [{ name: 'A', value: '2' }] }),
      statefulSet(),
      `${at}.env[A].value`,
    ],
    [
      'the container gone',
      { kind: 'StatefulSet', spec: { template: { spec: {} } } },
      statefulSet(),
      'spec.template.spec.containers',
    ],
    ['a label gone', { metadata: {} }, { metadata: { labels: { a: '1' } } }, 'metadata.labels'],
    [
      'equal as quantities, but not a quantity',
      { metadata: { labels: { v: '1.0' } } },
      { metadata: { labels: { v: '1' } } },
      'metadata.labels.v',
    ],
    [
      'a switch that stays when false',
      { automountServiceAccountToken: undefined },
      { automountServiceAccountToken: false },
      'automountServiceAccountToken',
    ],
    [
      'one more element of a whole list',
      { spec: { args: ['a', 'b'] } },
      { spec: { args: ['a'] } },
      'spec.args',
    ],
    ['an element where none should be', { spec: { args: ['a'] } }, { spec: { args: [] } }, 'spec.args'],
    ['a list in the place of a map', { spec: [] }, { spec: { a: 1 } }, 'spec'],
    [
      'a directory that is another volume now',
      { volumes: [{ name: 'v', hostPath: { path: '/' } }] },
      { volumes: [{ name: 'v', emptyDir: {} }] },
      'volumes[v].emptyDir',
    ],
    [
      'a selector for all pods narrowed',
      { kind: 'NetworkPolicy', spec: { podSelector: { matchLabels: { a: 'b' } } } },
      { kind: 'NetworkPolicy', spec: { podSelector: {} } },
      'spec.podSelector',
    ],
    [
      'a network policy that allows one more peer',
      {
        kind: 'NetworkPolicy',
        spec: { ingress: [{ from: [{ podSelector: {} }, { ipBlock: { cidr: '0.0.0.0/0' } }] }] },
      },
      { kind: 'NetworkPolicy', spec: { ingress: [{ from: [{ podSelector: {} }] }] } },
      'spec.ingress[0].from',
    ],
    [
      'a peer that reaches across namespaces',
      {
        kind: 'NetworkPolicy',
        spec: { ingress: [{ from: [{ podSelector: { a: 'b' }, namespaceSelector: { x: 'y' } }] }] },
      },
      { kind: 'NetworkPolicy', spec: { ingress: [{ from: [{ podSelector: { a: 'b' } }] }] } },
      'spec.ingress[0].from[0].namespaceSelector',
    ],
    [
      'a peer that reaches into all namespaces',
      {
        kind: 'NetworkPolicy',
        spec: { ingress: [{ from: [{ podSelector: { a: 'b' }, namespaceSelector: {} }] }] },
      },
      { kind: 'NetworkPolicy', spec: { ingress: [{ from: [{ podSelector: { a: 'b' } }] }] } },
      'spec.ingress[0].from[0].namespaceSelector',
    ],
    [
      'rules where all was denied',
      { kind: 'NetworkPolicy', spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] } },
      { kind: 'NetworkPolicy', spec: { podSelector: {}, policyTypes: undefined } },
      'spec.ingress',
    ],
    [
      'a service that selects less',
      { kind: 'Service', spec: { selector: { a: 'b', c: 'd' } } },
      { kind: 'Service', spec: { selector: { a: 'b' } } },
      'spec.selector.c',
    ],
  ])('%s', (_name, live, desired, path) => {
    expect(differs(live, desired)).toBe(path)
  })
})

describe('quantities', () => {
  test.each<[string | number, string | number]>([
    ['1Gi', '1024Mi'],
    ['0.5', '500m'],
    [2, '2'],
    ['1e3', '1k'],
    ['1.5Gi', '1536Mi'],
    ['0.0000000001', '1n'],
    ['-1', '-1000m'],
  ])('%s is %s', (a, b) => {
    expect(sameQuantity(a, b)).toBe(true)
  })

  test.each<[string, string]>([
    ['1G', '1Gi'],
    ['1', '1m'],
    ['1', '-1'],
    ['', ''],
    ['abc', 'abc'],
  ])('%s is not %s', (a, b) => {
    expect(sameQuantity(a, b)).toBe(false)
  })

  test('one unit is a billion billionths', () => {
    expect(parseQuantity('1')).toBe(1_000_000_000n)
    expect(parseQuantity('12E')).toBe(12n * 10n ** 27n)
  })
})
