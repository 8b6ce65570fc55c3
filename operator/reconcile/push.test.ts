import { describe, expect, test } from 'vitest'
import type { NodeState } from '../../common/admin-api.ts'
import { AppError } from '../../common/errors.ts'
import { stateDigest, type StateDocument } from '../../common/state-document.ts'
import type { NodeAddress, Nodes, PushOutcome } from '../node-client/node-client.ts'
import type { PodView } from '../observe/runtime.ts'
import { pushDocument } from './push.ts'

const organizationId = '0123456789abcdef'
const document: StateDocument = {
  formatVersion: 1,
  organization: { id: organizationId, name: 'marketing', displayName: 'Marketing', directAccess: false },
  databases: [],
  tokens: [],
  limits: {
    databases: 1,
    series: 1,
    writeBytesPerSecond: null,
    concurrentQueries: 1,
    queryTimeoutNs: '1',
  },
}
const digest = stateDigest(document)

const pod = (uid: string, more: Partial<PodView> = {}): PodView => ({
  name: `storage-node-${uid}`,
  uid,
  ip: '192.0.2.1',
  running: true,
  ready: true,
  terminating: false,
  trouble: null,
  revision: 'a',
  restarts: 0,
  lastExit: null,
  ...more,
})

/** Nodes by pod uid; each push first lets `before` happen, as another writer would. */
class FakeNodes implements Pick<Nodes, 'getState' | 'pushState'> {
  readonly digests = new Map<string, string>()
  readonly asked: string[] = []
  formatVersions = [1]
  before: ((uid: string) => void) | null = null
  refuse = false

  state(uid: string): NodeState {
    return {
      organizationId,
      digest: this.digests.get(uid) ?? '',
      formatVersions: this.formatVersions,
      version: '9.9.9',
      databasesWithData: [],
    }
  }

  async getState(node: NodeAddress) {
    this.asked.push(`get ${node.podUid}`)
    if (!this.digests.has(node.podUid)) throw new AppError('unavailable', 'ERR_NODE_UNREACHABLE', 'refused')
    return this.state(node.podUid)
  }

  async pushState(node: NodeAddress, pushed: StateDocument, replaces: string): Promise<PushOutcome> {
    this.asked.push(`push ${node.podUid}`)
    this.before?.(node.podUid)
    if (this.refuse) throw new AppError('invalid', 'ERR_NODE_REFUSED', 'revoked')
    if (this.digests.get(node.podUid) !== replaces) {
      return { outcome: 'changed', state: this.state(node.podUid) }
    }
    this.digests.set(node.podUid, stateDigest(pushed))
    return { outcome: 'accepted', state: this.state(node.podUid) }
  }
}

const push = (nodes: FakeNodes, ...pods: PodView[]) =>
  pushDocument(nodes, pods, document, new AbortController().signal)

describe('a node serves the newest document, and only what it confirmed counts', () => {
  test('what is in force already is not sent again', async () => {
    const nodes = new FakeNodes()
    nodes.digests.set('a', digest)
    expect(await push(nodes, pod('a'))).toMatchObject([{ result: 'confirmed' }])
    expect(nodes.asked).toEqual(['get a'])
  })

  test('a node that is not ready gets its first document', async () => {
    const nodes = new FakeNodes()
    nodes.digests.set('a', '')
    expect(await push(nodes, pod('a', { ready: false }))).toMatchObject([{ result: 'confirmed' }])
    expect(nodes.digests.get('a')).toBe(digest)
  })

  test('one that cannot be reached does not keep another from its document', async () => {
    const nodes = new FakeNodes()
    nodes.digests.set('b', 'old')
    const reports = await push(nodes, pod('a'), pod('b'))
    expect(reports.map(({ result }) => result)).toEqual(['unreachable', 'confirmed'])
  })

  test('pods that do not run yet are not asked, those on their way out are', async () => {
    const nodes = new FakeNodes()
    nodes.digests.set('c', '')
    const reports = await push(
      nodes,
      pod('a', { running: false }),
      pod('b', { ip: null }),
      pod('c', { terminating: true }),
    )
    expect(reports).toMatchObject([{ result: 'confirmed', pod: { uid: 'c' } }])
  })

  test('losing a race is tried once more, losing for ever ends', async () => {
    const nodes = new FakeNodes()
    nodes.digests.set('a', '')
    let others = 0
    nodes.before = (uid) => {
      if (others === 0) nodes.digests.set(uid, `other ${(others += 1)}`)
    }
    expect(await push(nodes, pod('a'))).toMatchObject([{ result: 'confirmed' }])
    nodes.digests.set('a', '')
    nodes.before = (uid) => nodes.digests.set(uid, `other ${(others += 1)}`)
    nodes.asked.length = 0
    expect(await push(nodes, pod('a'))).toMatchObject([{ result: 'unreachable' }])
    expect(nodes.asked).toEqual(['get a', 'push a', 'push a'])
  })

  test('a refusal is told apart from silence', async () => {
    const nodes = new FakeNodes()
    nodes.digests.set('a', '')
    nodes.refuse = true
    expect(await push(nodes, pod('a'))).toMatchObject([{ result: 'refused', message: 'revoked' }])
  })

  test('a node of another generation gets nothing that it cannot read', async () => {
    const nodes = new FakeNodes()
    nodes.digests.set('a', '')
    nodes.formatVersions = [2]
    expect(await push(nodes, pod('a'))).toMatchObject([{ result: 'refused' }])
    expect(nodes.asked).toEqual(['get a'])
  })
})
