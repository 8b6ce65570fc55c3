import { describe, expect, test } from 'vitest'
import { formatAddress } from './addresses.ts'
import { addressedPods } from './pods.ts'
import type { Pod } from './resources.ts'

const pod = (name: string, change: Partial<Pod> & { readonly deleting?: boolean } = {}): Pod => ({
  metadata: {
    name,
    namespace: 'a',
    ...(change.deleting ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
  },
  spec: change.spec ?? { containers: [] },
  status: change.status ?? { phase: 'Running', podIP: '10.244.0.2' },
})
const holders = (...pods: Pod[]) =>
  addressedPods(pods).map(({ name, address }) => `${name} ${formatAddress(address)}`)

describe('an address belongs to the one live pod that holds it, or to nobody', () => {
  test.each<[string, readonly Pod[], readonly string[]]>([
    ['a running pod', [pod('p')], ['p 10.244.0.2']],
    [
      'one whose init containers run',
      [pod('p', { status: { phase: 'Pending', podIP: '10.244.0.9' } })],
      ['p 10.244.0.9'],
    ],
    ['one that is being deleted still runs', [pod('p', { deleting: true })], ['p 10.244.0.2']],
    ['no address yet', [pod('p', { status: { phase: 'Pending' } })], []],
    ['no status yet', [{ ...pod('p'), status: {} }], []],
    ['ended well', [pod('p', { status: { phase: 'Succeeded', podIP: '10.244.0.2' } })], []],
    ['ended badly', [pod('p', { status: { phase: 'Failed', podIP: '10.244.0.2' } })], []],
    ['on the host’s network', [pod('p', { spec: { hostNetwork: true, containers: [] } })], []],
    ['an address of another network', [pod('p', { status: { phase: 'Running', podIP: '10.199.0.2' } })], []],
    [
      'an address taken over from a pod that ended',
      [pod('old', { status: { phase: 'Succeeded', podIP: '10.244.0.2' } }), pod('new')],
      ['new 10.244.0.2'],
    ],
    [
      'an address taken over from a pod that is being deleted',
      [pod('new'), pod('old', { deleting: true })],
      ['new 10.244.0.2'],
    ],
    ['an address that two claim', [pod('one'), pod('two')], []],
    [
      'an address that two leavers claim',
      [pod('one', { deleting: true }), pod('two', { deleting: true })],
      [],
    ],
  ])('%s', (_name, pods, expected) => {
    expect(holders(...pods)).toEqual(expected)
  })

  test('named ports come from containers and sidecars, not from init containers', () => {
    const port = (name: string, containerPort: number) => ({ ports: [{ name, containerPort }] })
    const [found] = addressedPods([
      pod('p', {
        spec: {
          containers: [port('http', 80), { ports: [{ containerPort: 81 }] }],
          initContainers: [port('once', 82), { ...port('side', 83), restartPolicy: 'Always' }],
        },
      }),
    ])
    expect(found?.ports).toEqual([
      { name: 'http', protocol: 'TCP', port: 80 },
      { name: 'side', protocol: 'TCP', port: 83 },
    ])
  })
})
