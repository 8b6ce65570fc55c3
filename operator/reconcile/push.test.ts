import { describe, expect, test } from 'vitest'
import type { NodeState } from '../../common/admin-api.ts'
import { AppError } from '../../common/errors.ts'
import { inFormat, type AnyStateDocument } from '../../common/state-document-formats.ts'
import { stateDigest, type StateDocument } from '../../common/state-document.ts'
import type { NodeAddress, Nodes, PushOutcome } from '../node-client/node-client.ts'
import type { PodView } from '../observe/runtime.ts'
import { pushDocument } from './push.ts'

const organizationId = '0123456789abcdef'
const document: StateDocument = {
  formatVersion: 2,
  organization: { id: organizationId, name: 'marketing', displayName: 'Marketing', directAccess: false },
  databases: [],
  tokens: [],
  limits: {
    databases: 1,
    series: 1,
    writeBytesPerSecond: null,
    concurrentQueries: 1,
    queryTimeoutNs: '1',
    requestsPerSecond: null,
    rowsPerQuery: 10_000_000,
    queryMemoryBytes: null,
  },
  authentication: { jwt: null, oidc: null, clientCertificates: null },
  members: [],
  audit: null,
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
  formatVersions = [1, 2]
  formatsOf: (uid: string) => readonly number[] = () => this.formatVersions
  readonly pushed: AnyStateDocument[] = []
  before: ((uid: string) => void) | null = null
  refuse = false

  state(uid: string): NodeState {
    return {
      organizationId,
      digest: this.digests.get(uid) ?? '',
      formatVersions: this.formatsOf(uid),
      version: '9.9.9',
      databasesWithData: [],
    }
  }

  async getState(node: NodeAddress) {
    this.asked.push(`get ${node.podUid}`)
    if (!this.digests.has(node.podUid)) throw new AppError('unavailable', 'ERR_NODE_UNREACHABLE', 'refused')
    return this.state(node.podUid)
  }

  async pushState(node: NodeAddress, pushed: AnyStateDocument, replaces: string): Promise<PushOutcome> {
    this.asked.push(`push ${node.podUid}`)
    this.before?.(node.podUid)
    if (this.refuse) throw new AppError('invalid', 'ERR_NODE_REFUSED', 'revoked')
    if (this.digests.get(node.podUid) !== replaces) {
      return { outcome: 'changed', state: this.state(node.podUid) }
    }
    this.digests.set(node.podUid, stateDigest(pushed))
    this.pushed.push(pushed)
    return { outcome: 'accepted', state: this.state(node.podUid) }
  }
}

const push = (nodes: FakeNodes, pods: readonly PodView[], pushed = document) =>
  pushDocument(nodes, pods, pushed, new AbortController().signal)

describe('a node serves the newest document, and only what it confirmed counts', () => {
  test('what is in force already is not sent again', async () => {
    const nodes = new FakeNodes()
    nodes.digests.set('a', digest)
    expect(await push(nodes, [pod('a')])).toMatchObject([{ result: 'confirmed' }])
    expect(nodes.asked).toEqual(['get a'])
  })

  test('a node that is not ready gets its first document', async () => {
    const nodes = new FakeNodes()
    nodes.digests.set('a', '')
    expect(await push(nodes, [pod('a', { ready: false })])).toMatchObject([{ result: 'confirmed' }])
    expect(nodes.digests.get('a')).toBe(digest)
  })

  test('one that cannot be reached does not keep another from its document', async () => {
    const nodes = new FakeNodes()
    nodes.digests.set('b', 'old')
    const reports = await push(nodes, [pod('a'), pod('b')])
    expect(reports.map(({ result }) => result)).toEqual(['unreachable', 'confirmed'])
  })

  test('pods that do not run yet are not asked, those on their way out are', async () => {
    const nodes = new FakeNodes()
    nodes.digests.set('c', '')
    const reports = await push(nodes, [
      pod('a', { running: false }),
      pod('b', { ip: null }),
      pod('c', { terminating: true }),
    ])
    expect(reports).toMatchObject([{ result: 'confirmed', pod: { uid: 'c' } }])
  })

  test('losing a race is tried once more, losing for ever ends', async () => {
    const nodes = new FakeNodes()
    nodes.digests.set('a', '')
    let others = 0
    nodes.before = (uid) => {
      if (others === 0) nodes.digests.set(uid, `other ${(others += 1)}`)
    }
    expect(await push(nodes, [pod('a')])).toMatchObject([{ result: 'confirmed' }])
    nodes.digests.set('a', '')
    nodes.before = (uid) => nodes.digests.set(uid, `other ${(others += 1)}`)
    nodes.asked.length = 0
    expect(await push(nodes, [pod('a')])).toMatchObject([{ result: 'unreachable' }])
    expect(nodes.asked).toEqual(['get a', 'push a', 'push a'])
  })

  test('a refusal is told apart from silence', async () => {
    const nodes = new FakeNodes()
    nodes.digests.set('a', '')
    nodes.refuse = true
    expect(await push(nodes, [pod('a')])).toMatchObject([{ result: 'refused', message: 'revoked' }])
  })

  describe('a node of before', () => {
    const before = inFormat(document, 1).document
    const limited = { ...document, limits: { ...document.limits, rowsPerQuery: 5, queryMemoryBytes: 9 } }
    const old = (digest: string): FakeNodes => {
      const nodes = new FakeNodes()
      nodes.formatVersions = [1]
      nodes.digests.set('a', digest)
      return nodes
    }

    test('gets the form that it reads, once', async () => {
      const nodes = old('')
      expect(await push(nodes, [pod('a')])).toMatchObject([{ result: 'confirmed' }])
      expect(await push(nodes, [pod('a')])).toMatchObject([{ result: 'confirmed' }])
      expect(nodes.pushed).toEqual([before])
    })

    test('beside one of today each has its own, and after an upgrade the newer one', async () => {
      const nodes = old('')
      nodes.formatsOf = (uid) => (uid === 'a' ? [1] : [1, 2])
      nodes.digests.set('b', '')
      const both = await push(nodes, [pod('a'), pod('b')])
      expect(both.map(({ result }) => result)).toEqual(['confirmed', 'confirmed'])
      expect([nodes.digests.get('a'), nodes.digests.get('b')]).toEqual([stateDigest(before), digest])
      nodes.formatsOf = () => [1, 2]
      await push(nodes, [pod('a'), pod('b')])
      expect(nodes.digests.get('a')).toBe(digest)
      nodes.formatsOf = () => [1]
      await push(nodes, [pod('a')])
      expect(nodes.digests.get('a')).toBe(stateDigest(before))
      expect(nodes.pushed).toHaveLength(4)
    })

    test('is not begun with, where it lacks what is asked for', async () => {
      const nodes = old('')
      const message = 'version 9.9.9 does not know spec.limits.rowsPerQuery; set spec.version'
      expect(await push(nodes, [pod('a')], limited)).toMatchObject([{ result: 'refused', message }])
      expect(nodes.pushed).toEqual([])
    })

    test('that serves is told all else, so that a revocation does not wait, and has not confirmed', async () => {
      const nodes = old('old')
      const message = expect.stringContaining('does not know spec.limits.rowsPerQuery')
      expect(await push(nodes, [pod('a')], limited)).toMatchObject([{ result: 'refused', message }])
      expect(nodes.pushed).toEqual([before])
      expect(await push(nodes, [pod('a')], limited)).toMatchObject([{ result: 'refused', message }])
      expect(nodes.pushed).toHaveLength(1)
    })

    test('writes no audit lines, which holds up nothing', async () => {
      const nodes = old('')
      const audited = { ...document, audit: { publicKey: Buffer.alloc(32).toString('base64') } }
      expect(await push(nodes, [pod('a')], audited)).toMatchObject([{ result: 'confirmed' }])
    })
  })

  test('a node of another generation gets nothing that it cannot read', async () => {
    const nodes = new FakeNodes()
    nodes.digests.set('a', '')
    nodes.formatVersions = [3]
    expect(await push(nodes, [pod('a')])).toMatchObject([{ result: 'refused' }])
    expect(nodes.asked).toEqual(['get a'])
  })
})
