import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { tokenUsesLimit } from '../../common/admin-api.ts'
import { systemClock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import { stateDigest, type StateDocument } from '../../common/state-document.ts'
import {
  createAuthority,
  issueCertificate,
  type CertificateRequest,
  type KeyPair,
} from '../../operator/authority/certificates.ts'
import { NodeClient, type NodeAddress } from '../../operator/node-client/node-client.ts'
import type { ClientIdentity } from '../../operator/node-client/peer.ts'
import { runningMs } from '../support/stalls.ts'
import { AdminServer } from './admin-server.ts'

const installationId = 'aaaaaaaaaaaaaaaa'
const organizationId = '0123456789abcdef'
const otherId = 'fedcba9876543210'

const document: StateDocument = {
  formatVersion: 2,
  organization: { id: organizationId, name: 'marketing', displayName: 'Marketing', directAccess: false },
  databases: [],
  tokens: [],
  limits: {
    databases: 10,
    series: 1_000,
    writeBytesPerSecond: null,
    concurrentQueries: 10,
    queryTimeoutNs: '60000000000',
    requestsPerSecond: null,
    rowsPerQuery: 10_000_000,
    queryMemoryBytes: null,
  },
  authentication: { jwt: null, oidc: null, clientCertificates: null },
  members: [],
  audit: null,
}

let authority: KeyPair
let strangers: KeyPair
let operator: ClientIdentity
const open: { close(): Promise<void> }[] = []

const request = (...uris: string[]): CertificateRequest => ({
  commonName: 'test',
  uris,
  dnsNames: [],
  ipAddresses: ['127.0.0.1'],
  usages: ['server', 'client'],
})

async function serve(uris: readonly string[], options: { signedBy?: KeyPair } = {}) {
  const issued = await issueCertificate(options.signedBy ?? authority, request(...uris), Date.now())
  const server = new AdminServer({
    organizationId,
    installationId,
    ...issued,
    authorityPem: authority.certificatePem,
  })
  open.push(server)
  const port = await server.listen()
  const client = new NodeClient({ identity: () => operator, clock: systemClock, port })
  open.push(client)
  return { server, client }
}

const node: NodeAddress = { organizationId, podUid: 'pod-1', host: '127.0.0.1' }
const right = [`holdfast://${organizationId}/node`]

beforeAll(async () => {
  authority = await createAuthority(installationId, Date.now())
  strangers = await createAuthority('bbbbbbbbbbbbbbbb', Date.now())
  const issued = await issueCertificate(
    authority,
    request(`holdfast://${installationId}/operator`),
    Date.now(),
  )
  operator = { ...issued, authorityPem: authority.certificatePem }
})

afterEach(async () => {
  for (const part of open.splice(0)) await part.close()
})

describe('an address says nothing of who answers there', () => {
  test.each([
    ['another organization’s node', [`holdfast://${otherId}/node`]],
    ['the gateway', [`holdfast://${organizationId}/gateway`]],
    ['somebody with two identities', [...right, `holdfast://${otherId}/node`]],
    ['somebody with none', []],
  ])('%s gets no request', async (_who, uris) => {
    const { server, client } = await serve(uris)
    await expect(client.getState(node)).rejects.toMatchObject({ code: 'ERR_NODE_UNREACHABLE' })
    expect(server.requests).toEqual([])
  })

  test('the right name from another authority gets no request', async () => {
    const { server, client } = await serve(right, { signedBy: strangers })
    await expect(client.getState(node)).rejects.toMatchObject({ code: 'ERR_NODE_UNREACHABLE' })
    expect(server.requests).toEqual([])
  })

  test('a node that speaks for another organization is not believed', async () => {
    const { server, client } = await serve(right)
    server.intercept = (_request, response) => {
      response.end(JSON.stringify({ ...server.state, organizationId: otherId }))
      return true
    }
    await expect(client.getState(node)).rejects.toMatchObject({ code: 'ERR_NODE_IDENTITY' })
  })
})

describe('uses of tokens', () => {
  const answering = async (status: number, body: unknown) => {
    const { server, client } = await serve(right)
    server.intercept = (_request, response) => {
      response.writeHead(status).end(JSON.stringify(body))
      return true
    }
    return client.tokenUses(node)
  }
  const use = { id: '0123456789abcdef', lastUsedAt: '2026-11-24T12:00:00.000Z' }

  test('a node of a version that does not know them has none', async () => {
    expect(await answering(404, { code: 'ERR_ADMIN_PATH', message: 'no such path' })).toEqual({ uses: [] })
  })

  test('as many as a node remembers are read', async () => {
    const uses = Array.from({ length: tokenUsesLimit }, () => use)
    expect(await answering(200, { uses })).toEqual({ uses })
  })

  test.each([
    ['more than that', { uses: Array.from({ length: tokenUsesLimit + 1 }, () => use) }],
    ['no time', { uses: [{ ...use, lastUsedAt: 'yesterday' }] }],
    ['no id', { uses: [{ ...use, id: 'x' }] }],
  ])('%s is no answer', async (_what, body) => {
    await expect(answering(200, body)).rejects.toMatchObject({ code: 'ERR_NODE_ANSWER' })
  })
})

test('a process that may write no longer changes nothing on a node, and may still look', async () => {
  let isLeader = true
  const fence = () => {
    if (!isLeader) throw new AppError('unavailable', 'ERR_KUBE_FENCED', 'not the leader')
  }
  const { server } = await serve(right)
  const client = new NodeClient({ identity: () => operator, clock: systemClock, port: server.port, fence })
  open.push(client)
  await client.pushState(node, document, '')
  isLeader = false
  expect((await client.getState(node)).digest).toBe(stateDigest(document))
  const asked = server.requests.length
  for (const write of [
    client.pushState(node, { ...document, databases: [] }, stateDigest(document)),
    client.deleteDatabase(node, otherId),
    client.useDataKey(node),
  ])
    await expect(write).rejects.toMatchObject({ code: 'ERR_KUBE_FENCED' })
  expect(server.requests).toHaveLength(asked)
})

describe('a document comes into force by compare-and-set', () => {
  test('accepted on the digest that the node reported', async () => {
    const { server, client } = await serve(right)
    expect((await client.getState(node)).digest).toBe('')
    const pushed = await client.pushState(node, document, '')
    expect(pushed).toMatchObject({ outcome: 'accepted', state: { digest: stateDigest(document) } })
    expect(server.document).toEqual(document)
  })

  test('a document that was replaced meanwhile is told, and nothing is overwritten', async () => {
    const { server, client } = await serve(right)
    const theirs = { ...document, limits: { ...document.limits, databases: 11 } }
    server.document = theirs
    const pushed = await client.pushState(node, document, '')
    expect(pushed).toMatchObject({ outcome: 'changed', state: { digest: stateDigest(theirs) } })
    expect(server.document).toBe(theirs)
  })

  test('a refused document is an error with the node’s reason', async () => {
    const { server, client } = await serve(right)
    server.intercept = (_request, response) => {
      response.writeHead(422).end(JSON.stringify({ code: 'ERR_REVIVED', message: 'token is revoked' }))
      return true
    }
    await expect(client.pushState(node, document, '')).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('token is revoked'),
    })
  })

  test('a database goes only when it is detached', async () => {
    const { server, client } = await serve(right)
    const id = '1111111111111111'
    await client.deleteDatabase(node, id)
    expect(server.deleted).toEqual([id])
    server.document = {
      ...document,
      databases: [
        {
          id,
          name: 'metrics',
          retentionPolicies: [{ name: 'autogen', durationNs: '0', shardDurationNs: '0' }],
          defaultRetentionPolicy: 'autogen',
          limits: { series: null, fieldsPerMeasurement: 100 },
        },
      ],
    }
    await expect(client.deleteDatabase(node, id)).rejects.toMatchObject({ kind: 'conflict' })
  })
})

describe('a bad node costs little', () => {
  test('a node that never answers ends in time', async () => {
    const { server, client } = await serve(right)
    server.intercept = () => true
    const startMs = runningMs()
    await expect(client.getState(node)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(runningMs() - startMs).toBeLessThan(4_500)
  })

  test('an endless answer is cut', async () => {
    const { server, client } = await serve(right)
    let sentBytes = 0
    server.intercept = (_request, response) => {
      const chunk = Buffer.alloc(65_536, 0x20)
      const more = () => {
        while (!response.destroyed && response.write(chunk)) sentBytes += chunk.length
        if (!response.destroyed) response.once('drain', more)
      }
      more()
      return true
    }
    await expect(client.getState(node)).rejects.toMatchObject({ code: 'ERR_NODE_ANSWER' })
    expect(sentBytes).toBeLessThan(64 * 1024 * 1024)
  })

  test.each(['not json', '{}', '{"digest":"short"}'])('the answer %s is an error', async (text) => {
    const { server, client } = await serve(right)
    server.intercept = (_request, response) => {
      response.end(text)
      return true
    }
    await expect(client.getState(node)).rejects.toMatchObject({ code: 'ERR_NODE_ANSWER' })
  })
})

describe('connections', () => {
  test('one is used again and again, and a new identity takes a new one', async () => {
    const { server, client } = await serve(right)
    for (let i = 0; i < 20; i += 1) await client.getState(node)
    expect(server.connections).toBe(1)
    operator = { ...operator }
    await client.getState(node)
    expect(server.connections).toBe(2)
    expect(client.size).toBe(1)
  })

  test('there are few: whose is not used for longest ends, once it has its answer', async () => {
    const { server, client } = await serve(right)
    const pods = Array.from({ length: 40 }, (_, i) => ({ ...node, podUid: `pod-${i}` }))
    const held = Promise.withResolvers<void>()
    server.intercept = (_request, response) => {
      void held.promise.then(() => response.end('not json'))
      return true
    }
    const slow = client.getState({ ...node, podUid: 'slow' })
    await vi.waitFor(() => expect(server.connections).toBe(1))
    server.intercept = null
    for (const pod of pods) await client.getState(pod)
    expect(client.size).toBe(32)
    held.resolve()
    await expect(slow).rejects.toMatchObject({ code: 'ERR_NODE_ANSWER' })
    expect(server.connections).toBe(41)
    await client.getState(pods.at(-32)!)
    expect(server.connections).toBe(41)
    await client.getState(pods[0]!)
    expect(server.connections).toBe(42)
  })

  test('a failed one is replaced', async () => {
    const { server, client } = await serve(right)
    server.intercept = (incoming) => {
      incoming.socket.destroy()
      return true
    }
    await expect(client.getState(node)).rejects.toMatchObject({ kind: 'unavailable' })
    server.intercept = null
    expect((await client.getState(node)).digest).toBe('')
  })
})
