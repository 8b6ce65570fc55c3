import { describe, expect, test } from 'vitest'
import { contains, formatAddress, parseAddress } from './addresses.ts'
import { isolate } from './isolation.ts'
import type { Direction, NetworkPolicy, Pod, World } from './resources.ts'

const pod = (namespace: string, name: string, podIP: string, labels: Record<string, string> = {}): Pod => ({
  metadata: { namespace, name, labels },
  spec: { containers: [{}] },
  status: { phase: 'Running', podIP },
})
const policy = (namespace: string, name: string, spec: NetworkPolicy['spec']): NetworkPolicy => ({
  metadata: { namespace, name },
  spec,
})

const web = pod('shop', 'web', '10.244.0.2', { app: 'web' })
const db = pod('shop', 'db', '10.244.0.3', { app: 'db' })
const spy = pod('other', 'spy', '10.244.0.4', { app: 'web' })
const base: World = {
  policies: [],
  namespaces: [
    { metadata: { name: 'shop', labels: { team: 'shop', 'kubernetes.io/metadata.name': 'shop' } } },
    { metadata: { name: 'other', labels: { team: 'other', 'kubernetes.io/metadata.name': 'other' } } },
  ],
  pods: [web, db, spy],
}

/** Who of all pods, and of two addresses outside, may open a connection to (or be reached from) the pod. */
function partners(world: World, of: Pod, direction: Direction): readonly string[] | 'not isolated' {
  const address = parseAddress(of.status!.podIP!)!
  const isolation = isolate(world).isolations.find(
    (one) => one.direction === direction && one.pods.some((member) => member.address === address),
  )
  if (!isolation) return 'not isolated'
  const outside = [parseAddress('192.0.2.1')!, parseAddress('192.0.2.200')!]
  return [...isolate(world).pods.map((member) => member.address), ...outside]
    .filter((other) => isolation.allowances.some(({ peers }) => contains(peers, other)))
    .map(formatAddress)
}
const withPolicies = (...policies: NetworkPolicy[]): World => ({ ...base, policies })

describe('a pod is isolated in exactly the directions of the policies that select it', () => {
  test.each<[string, NetworkPolicy['spec'], readonly Direction[]]>([
    ['no policyTypes, no egress rules', { podSelector: {} }, ['ingress']],
    ['no policyTypes, egress rules', { podSelector: {}, egress: [{}] }, ['egress', 'ingress']],
    ['no policyTypes, an empty list of egress rules', { podSelector: {}, egress: [] }, ['ingress']],
    ['Ingress', { podSelector: {}, policyTypes: ['Ingress'], egress: [{}] }, ['ingress']],
    ['Egress', { podSelector: {}, policyTypes: ['Egress'], ingress: [{}] }, ['egress']],
    ['both', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }, ['egress', 'ingress']],
    ['a selector that selects it', { podSelector: { matchLabels: { app: 'web' } } }, ['ingress']],
    ['a selector that does not', { podSelector: { matchLabels: { app: 'db' } } }, []],
    ['no selector at all', {}, ['ingress']],
  ])('%s', (_name, spec, directions) => {
    const world = withPolicies(policy('shop', 'p', spec))
    const isolated = (['egress', 'ingress'] as const).filter(
      (direction) => partners(world, web, direction) !== 'not isolated',
    )
    expect(isolated).toEqual(directions)
  })

  test('a policy isolates nobody in another namespace', () => {
    const world = withPolicies(
      policy('shop', 'deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }),
    )
    expect(partners(world, spy, 'ingress')).toBe('not isolated')
    expect(partners(world, spy, 'egress')).toBe('not isolated')
    expect(partners(world, web, 'ingress')).toEqual([])
    expect(partners(world, web, 'egress')).toEqual([])
  })
})

describe('a rule lets in exactly its peers', () => {
  const inShop = { matchLabels: { team: 'shop' } }
  test.each<[string, NonNullable<NetworkPolicy['spec']['ingress']>, readonly string[]]>([
    ['no rules', [], []],
    ['an empty rule', [{}], ['10.244.0.2', '10.244.0.3', '10.244.0.4', '192.0.2.1', '192.0.2.200']],
    [
      'an empty list of peers',
      [{ from: [] }],
      ['10.244.0.2', '10.244.0.3', '10.244.0.4', '192.0.2.1', '192.0.2.200'],
    ],
    [
      'pods: of the policy’s own namespace alone',
      [{ from: [{ podSelector: {} }] }],
      ['10.244.0.2', '10.244.0.3'],
    ],
    ['pods by label', [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }], ['10.244.0.2']],
    ['every namespace', [{ from: [{ namespaceSelector: {} }] }], ['10.244.0.2', '10.244.0.3', '10.244.0.4']],
    ['a namespace by label', [{ from: [{ namespaceSelector: inShop }] }], ['10.244.0.2', '10.244.0.3']],
    [
      'pods of a namespace: both must hold',
      [{ from: [{ namespaceSelector: inShop, podSelector: { matchLabels: { app: 'web' } } }] }],
      ['10.244.0.2'],
    ],
    [
      'pods or a namespace: either',
      [
        {
          from: [
            { podSelector: { matchLabels: { app: 'db' } } },
            { namespaceSelector: { matchLabels: { team: 'other' } } },
          ],
        },
      ],
      ['10.244.0.3', '10.244.0.4'],
    ],
    [
      'a namespace by expression',
      [
        {
          from: [
            {
              namespaceSelector: {
                matchExpressions: [
                  { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['shop'] },
                ],
              },
            },
          ],
        },
      ],
      ['10.244.0.4'],
    ],
    [
      'a block with an exception',
      [{ from: [{ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.128/25'] } }] }],
      ['192.0.2.1'],
    ],
    [
      'an exception that another peer covers',
      [
        {
          from: [
            { ipBlock: { cidr: '10.244.0.0/24', except: ['10.244.0.2/31'] } },
            { podSelector: { matchLabels: { app: 'db' } } },
          ],
        },
      ],
      ['10.244.0.3', '10.244.0.4'],
    ],
    ['a block of IPv6', [{ from: [{ ipBlock: { cidr: '::/0' } }] }], []],
    ['an exception that cannot be read', [{ from: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['?'] } }] }], []],
    ['a peer that names nobody', [{ from: [{}] }], []],
  ])('%s', (_name, rules, allowed) => {
    const incoming = policy('shop', 'p', { podSelector: {}, policyTypes: ['Ingress'], ingress: rules })
    expect(partners(withPolicies(incoming), web, 'ingress')).toEqual(allowed)
    const outgoing = policy('shop', 'p', {
      podSelector: {},
      policyTypes: ['Egress'],
      egress: rules.map(({ from, ports }) => ({ ...(from && { to: from }), ...(ports && { ports }) })),
    })
    expect(partners(withPolicies(outgoing), web, 'egress')).toEqual(allowed)
  })

  test('policies add up, and each pod gets those that select it', () => {
    const world = withPolicies(
      policy('shop', 'deny', { podSelector: {}, policyTypes: ['Ingress'] }),
      policy('shop', 'own', { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] }),
      policy('shop', 'web', {
        podSelector: { matchLabels: { app: 'web' } },
        ingress: [{ from: [{ ipBlock: { cidr: '192.0.2.1/32' } }] }],
      }),
    )
    expect(partners(world, web, 'ingress')).toEqual(['10.244.0.2', '10.244.0.3', '192.0.2.1'])
    expect(partners(world, db, 'ingress')).toEqual(['10.244.0.2', '10.244.0.3'])
  })

  test('a namespace that is not known yet is not let in', () => {
    const world = withPolicies(
      policy('shop', 'p', { podSelector: {}, ingress: [{ from: [{ namespaceSelector: {} }] }] }),
    )
    expect(partners({ ...world, namespaces: [] }, web, 'ingress')).toEqual([])
  })
})
