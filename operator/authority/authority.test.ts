import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Clock } from '../../common/clock.ts'
import { identitiesOf } from '../../common/identity.ts'
import { silentLogger } from '../../common/log.ts'
import { Authority } from './authority.ts'
import { certificateLifetimeMs } from './certificates.ts'
import type { OwnSecrets, StoredSecret } from './secrets.ts'

const installationId = 'aaaaaaaaaaaaaaaa'
const organizationId = '0123456789abcdef'
const startMs = Date.parse('2026-11-22T12:00:00Z')

class FakeClock implements Clock {
  ms = startMs
  nowMs = () => this.ms
  nowNs = () => BigInt(this.ms) * 1_000_000n
  monotonicMs = () => this.ms
  sleep = () => Promise.resolve()
}

/** Secrets as the API server keeps them: create fails when there is one, replace when another version is there. */
class MemorySecrets implements OwnSecrets {
  readonly stored = new Map<string, StoredSecret>()
  writes = 0
  beforeCreate: (() => void) | null = null

  async read(name: string) {
    return this.stored.get(name) ?? null
  }

  async create(name: string, _type: string, data: Readonly<Record<string, string>>) {
    this.beforeCreate?.()
    if (this.stored.has(name)) return false
    this.put(name, data)
    return true
  }

  async replace(name: string, read: StoredSecret, data: Readonly<Record<string, string>>) {
    if (this.stored.get(name)?.resourceVersion !== read.resourceVersion) return false
    this.put(name, data)
    return true
  }

  put(name: string, data: Readonly<Record<string, string>>) {
    this.writes += 1
    this.stored.set(name, { resourceVersion: String(this.writes), data })
  }
}

function open(
  secrets: OwnSecrets,
  clock: Clock,
  gatewayHosts: readonly string[] | null = ['gateway.example'],
) {
  return Authority.open({ installationId, gatewayHosts }, { secrets, clock, log: silentLogger })
}

describe('one authority for the whole installation', () => {
  test('a second operator uses the first one’s authority and marks', async () => {
    const secrets = new MemorySecrets()
    const first = await open(secrets, new FakeClock())
    const second = await open(secrets, new FakeClock())
    expect(second.certificatePem).toBe(first.certificatePem)
    expect(second.operatorKey).toEqual(first.operatorKey)
    expect(first.operatorKey).toHaveLength(32)
  })

  test('losing the race to create it means using the winner’s', async () => {
    const winner = new MemorySecrets()
    const authority = await open(winner, new FakeClock())
    const late = new MemorySecrets()
    late.beforeCreate = () => {
      for (const [name, secret] of winner.stored) late.put(name, secret.data)
    }
    expect((await open(late, new FakeClock())).certificatePem).toBe(authority.certificatePem)
  })

  test.each([
    ['holdfast-ca', { 'tls.crt': 'not a certificate', 'tls.key': 'PRIVATE' }],
    ['holdfast-operator-key', { key: 'c2hvcnQ=' }],
  ])('a damaged %s is an error that names it, shows no content, and is left as it is', async (name, data) => {
    const secrets = new MemorySecrets()
    secrets.put(name, data)
    const before = secrets.stored.get(name)
    await expect(open(secrets, new FakeClock())).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.not.stringContaining('PRIVATE'),
    })
    expect(secrets.stored.get(name)).toBe(before)
  })

  test('a leaf cannot stand in for the authority', async () => {
    const secrets = new MemorySecrets()
    const authority = await open(secrets, new FakeClock())
    const leaf = await authority.issueNodeIdentity(organizationId, ['a.svc'])
    const other = new MemorySecrets()
    other.put('holdfast-ca', { 'tls.crt': leaf.certificatePem, 'tls.key': leaf.privateKeyPem })
    await expect(open(other, new FakeClock())).rejects.toMatchObject({ kind: 'corrupt' })
  })
})

describe('what certificates say', () => {
  test('a node carries its organization’s identity alone, its names, and chains to the authority', async () => {
    const authority = await open(new MemorySecrets(), new FakeClock())
    const issued = await authority.issueNodeIdentity(organizationId, ['storage-node.holdfast-x.svc'])
    const certificate = new X509Certificate(issued.certificatePem)
    expect(identitiesOf(certificate.subjectAltName)).toEqual([`holdfast://${organizationId}/node`])
    expect(certificate.subjectAltName).toContain('DNS:storage-node.holdfast-x.svc')
    expect(certificate.ca).toBe(false)
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
    expect(certificate.verify(new X509Certificate(authority.certificatePem).publicKey)).toBe(true)
    expect(issued.privateKeyPem).toMatch(/^-----BEGIN PRIVATE KEY-----/)
  })

  test('the operator is a client, and the public certificate opens no door inside', async () => {
    const secrets = new MemorySecrets()
    const authority = await open(secrets, new FakeClock(), ['gateway.example', '192.0.2.7', '2001:db8::7'])
    await authority.refresh()
    const own = new X509Certificate(authority.operatorIdentity.certificatePem)
    expect(identitiesOf(own.subjectAltName)).toEqual([`holdfast://${installationId}/operator`])
    expect(own.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
    const gateway = new X509Certificate(secrets.stored.get('holdfast-gateway-identity')!.data['tls.crt']!)
    expect(identitiesOf(gateway.subjectAltName)).toEqual([`holdfast://${installationId}/gateway`])
    const server = new X509Certificate(secrets.stored.get('holdfast-gateway-tls')!.data['tls.crt']!)
    expect(identitiesOf(server.subjectAltName)).toEqual([])
    expect(server.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
    expect(server.checkHost('gateway.example')).toBe('gateway.example')
    expect(server.checkIP('192.0.2.7')).toBe('192.0.2.7')
    expect(server.checkIP('2001:db8::7')).toBe('2001:db8::7')
  })

  test('no public certificate where the platform brings its own', async () => {
    const secrets = new MemorySecrets()
    await (await open(secrets, new FakeClock(), null)).refresh()
    expect([...secrets.stored.keys()].toSorted()).toEqual([
      'holdfast-ca',
      'holdfast-gateway-identity',
      'holdfast-operator-key',
    ])
  })
})

describe('renewal', () => {
  test('writes nothing while nothing is due, also with IPv6 hosts', async () => {
    const secrets = new MemorySecrets()
    const clock = new FakeClock()
    const authority = await open(secrets, clock, ['gateway.example', '2001:db8:0::7'])
    await authority.refresh()
    const { writes } = secrets
    const identity = authority.operatorIdentity
    clock.ms += certificateLifetimeMs * 0.6
    await authority.refresh()
    expect(secrets.writes).toBe(writes)
    expect(authority.operatorIdentity).toBe(identity)
  })

  test('renews all three when less than a third is left', async () => {
    const secrets = new MemorySecrets()
    const clock = new FakeClock()
    const authority = await open(secrets, clock)
    await authority.refresh()
    const { writes } = secrets
    const identity = authority.operatorIdentity
    clock.ms += certificateLifetimeMs * 0.7
    await authority.refresh()
    expect(secrets.writes).toBe(writes + 2)
    expect(authority.operatorIdentity).not.toBe(identity)
    const gateway = new X509Certificate(secrets.stored.get('holdfast-gateway-identity')!.data['tls.crt']!)
    expect(gateway.validToDate.getTime()).toBeGreaterThan(startMs + certificateLifetimeMs)
  })

  test('new hosts are a new certificate', async () => {
    const secrets = new MemorySecrets()
    await (await open(secrets, new FakeClock(), ['old.example'])).refresh()
    await (await open(secrets, new FakeClock(), ['new.example'])).refresh()
    const server = new X509Certificate(secrets.stored.get('holdfast-gateway-tls')!.data['tls.crt']!)
    expect(server.checkHost('new.example')).toBe('new.example')
    expect(server.checkHost('old.example')).toBeUndefined()
  })
})
