import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Clock } from '../../common/clock.ts'
import { identitiesOf } from '../../common/identity.ts'
import { silentLogger } from '../../common/log.ts'
import { MemorySecrets } from '../../test/support/memory-secrets.ts'
import { Authority } from './authority.ts'
import { trustedCertificates, authorityKeysOf } from './authority-keys.ts'
import { authorityLifetimeMs, certificateLifetimeMs } from './certificates.ts'
import type { Identity, OwnSecrets } from './secrets.ts'

const installationId = 'aaaaaaaaaaaaaaaa'
const organizationId = '0123456789abcdef'
const startMs = Date.parse('2026-11-22T12:00:00Z')

/** The wall's clock can be set without time going by. */
class FakeClock implements Clock {
  ms = startMs
  elapsedMs = 0
  nowMs = () => this.ms
  nowNs = () => BigInt(this.ms) * 1_000_000n
  monotonicMs = () => this.elapsedMs
  sleep = () => Promise.resolve()

  pass(ms: number) {
    this.ms += ms
    this.elapsedMs += ms
  }
}

const metrics = { ends: () => undefined, nodeEnds: () => undefined, issued: () => undefined }
const lifetimes = { certificateLifetimeMs, authorityLifetimeMs }
const none: Partial<Identity> = {}
const hourMs = 3_600_000

function open(
  secrets: OwnSecrets,
  clock: Clock,
  gatewayHosts: readonly string[] | null = ['gateway.example'],
) {
  return Authority.open(
    { installationId, gatewayHosts, ...lifetimes },
    { secrets, clock, log: silentLogger, metrics },
  )
}

describe('one authority for the whole installation', () => {
  test('a second operator uses the first one’s authority and marks', async () => {
    const secrets = new MemorySecrets()
    const first = await open(secrets, new FakeClock())
    const second = await open(secrets, new FakeClock())
    expect(second.trustedPem).toBe(first.trustedPem)
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
    expect((await open(late, new FakeClock())).trustedPem).toBe(authority.trustedPem)
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
    const leaf = (await authority.keepNodeIdentity(none, organizationId, ['a.svc'])).identity
    const other = new MemorySecrets()
    other.put('holdfast-ca', { 'tls.crt': leaf.certificatePem, 'tls.key': leaf.privateKeyPem })
    await expect(open(other, new FakeClock())).rejects.toMatchObject({ kind: 'corrupt' })
  })
})

describe('what certificates say', () => {
  test('a node carries its organization’s identity alone, its names, is no client, and chains to the authority', async () => {
    const authority = await open(new MemorySecrets(), new FakeClock())
    const { identity: issued } = await authority.keepNodeIdentity(none, organizationId, [
      'storage-node.holdfast-x.svc',
    ])
    const certificate = new X509Certificate(issued.certificatePem)
    expect(identitiesOf(certificate.subjectAltName)).toEqual([`holdfast://${organizationId}/node`])
    expect(certificate.subjectAltName).toContain('DNS:storage-node.holdfast-x.svc')
    expect(certificate.ca).toBe(false)
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
    expect(certificate.verify(new X509Certificate(authority.trustedPem).publicKey)).toBe(true)
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
      'holdfast-isolation-probe-identity',
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
    clock.pass(certificateLifetimeMs * 0.59)
    await authority.refresh()
    expect(secrets.writes).toBe(writes)
    expect(authority.operatorIdentity).toBe(identity)
  })

  test('renews all three when two thirds of their life are over', async () => {
    const secrets = new MemorySecrets()
    const clock = new FakeClock()
    const authority = await open(secrets, clock)
    await authority.refresh()
    const { writes } = secrets
    const identity = authority.operatorIdentity
    clock.pass(certificateLifetimeMs * 0.7)
    await authority.refresh()
    expect(secrets.writes).toBe(writes + 3)
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

describe('what somebody does to the Secrets while an operator runs', () => {
  const edits: readonly (readonly [string, (secrets: MemorySecrets, name: string) => void])[] = [
    ['deleted', (secrets, name) => void secrets.stored.delete(name)],
    ['emptied', (secrets, name) => secrets.put(name, {})],
    [
      'filled with garbage',
      (secrets, name) => secrets.put(name, { 'tls.crt': 'x', 'tls.key': 'y', key: 'z' }),
    ],
  ]
  const names = ['holdfast-ca', 'holdfast-operator-key', 'holdfast-gateway-identity', 'holdfast-gateway-tls']
  test.each(names.flatMap((name) => edits.map(([what, edit]) => [name, what, edit] as const)))(
    '%s, %s, is good again after the next look, and the authority is the same',
    async (name, _what, edit) => {
      const secrets = new MemorySecrets()
      const authority = await open(secrets, new FakeClock())
      await authority.refresh()
      const trusted = authority.trustedPem
      const own = secrets.stored.get(name)!.data
      edit(secrets, name)
      await authority.refresh()
      expect(authority.trustedPem).toBe(trusted)
      const found = secrets.stored.get(name)!.data
      if (name.startsWith('holdfast-gateway')) {
        const certificate = new X509Certificate(found['tls.crt']!)
        expect(certificate.verify(new X509Certificate(trusted).publicKey)).toBe(true)
        expect(found['ca.crt']).toBe(trusted)
      } else {
        expect(found).toEqual(own)
      }
      const { writes } = secrets
      await authority.refresh()
      expect(secrets.writes).toBe(writes)
    },
  )

  test('an authority of somebody else is not taken over', async () => {
    const secrets = new MemorySecrets()
    const authority = await open(secrets, new FakeClock())
    const trusted = authority.trustedPem
    const other = new MemorySecrets()
    await open(other, new FakeClock())
    secrets.put('holdfast-ca', other.stored.get('holdfast-ca')!.data)
    await authority.refresh()
    expect(authority.trustedPem).toBe(trusted)
    expect(secrets.stored.get('holdfast-ca')!.data['tls.crt']!.trim()).toBe(trusted.trim())
  })

  test('one Secret that cannot be written does not keep the others from renewal', async () => {
    const secrets = new MemorySecrets()
    const clock = new FakeClock()
    const authority = await open(secrets, clock)
    await authority.refresh()
    const replace = secrets.replace.bind(secrets)
    secrets.replace = (name, read, data) =>
      name === 'holdfast-gateway-identity' ? Promise.reject(new Error('refused')) : replace(name, read, data)
    clock.pass(certificateLifetimeMs * 0.7)
    const before = secrets.stored.get('holdfast-gateway-tls')!.data
    await expect(authority.refresh()).rejects.toThrow('refused')
    expect(secrets.stored.get('holdfast-gateway-tls')!.data).not.toEqual(before)
  })
})

describe('clocks that are set', () => {
  test('a certificate that is not valid yet after a clock was set back is issued anew', async () => {
    const clock = new FakeClock()
    const authority = await open(new MemorySecrets(), clock)
    clock.ms += 24 * hourMs
    const { identity } = await authority.keepNodeIdentity(none, organizationId, ['a.svc'])
    clock.ms -= 24 * hourMs
    const again = await authority.keepNodeIdentity(identity, organizationId, ['a.svc'])
    expect(again.change).toBe('clock')
    const certificate = new X509Certificate(again.identity.certificatePem)
    expect(certificate.validFromDate.getTime()).toBeLessThanOrEqual(clock.ms)
  })

  test('a clock that jumps years ahead lets nobody sign whom the others do not know yet', async () => {
    const clock = new FakeClock()
    const secrets = new MemorySecrets()
    const authority = await open(secrets, clock)
    clock.ms += authorityLifetimeMs * 0.95
    const signer = secrets.stored.get('holdfast-ca')!.data['tls.crt']
    await authority.refresh()
    clock.ms += authorityLifetimeMs * 0.04
    await authority.refresh()
    expect(secrets.stored.get('holdfast-ca')!.data).toMatchObject({ 'tls.crt': signer })
    expect(authority.trustedPem.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
    clock.pass(hourMs)
    await authority.refresh()
    expect(secrets.stored.get('holdfast-ca')!.data['tls.crt']).not.toBe(signer)
  })
})

describe('the authority itself', () => {
  /** Whoever holds one of these believes the other. */
  const believes = (holder: Identity, peer: Identity) =>
    trustedOf(holder).some((pem) =>
      new X509Certificate(peer.certificatePem).checkIssued(new X509Certificate(pem)),
    )
  const trustedOf = ({ authorityPem }: Identity) =>
    authorityPem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []

  test('is renewed while everybody believes everybody, whoever is late', async () => {
    const secrets = new MemorySecrets()
    const clock = new FakeClock()
    const lifeMs = 6 * certificateLifetimeMs
    const authority = await Authority.open(
      { installationId, gatewayHosts: null, certificateLifetimeMs, authorityLifetimeMs: lifeMs },
      { secrets, clock, log: silentLogger, metrics },
    )
    const organizations = [organizationId, 'fedcba9876543210', '00112233445566aa']
    const held = new Map<string, Identity>()
    const signers = new Set<string>()
    const stepMs = certificateLifetimeMs / 8
    for (let look = 0; clock.ms < startMs + 1.9 * lifeMs; look += 1) {
      await authority.refresh()
      for (const [index, id] of organizations.entries()) {
        // Each is looked at in its turn only.
        if (look % organizations.length !== index && held.has(id)) continue
        held.set(id, (await authority.keepNodeIdentity(held.get(id) ?? none, id, ['a.svc'])).identity)
      }
      signers.add(authorityKeysOf('', secrets.stored.get('holdfast-ca')!.data).signer.certificatePem)
      const all = [...held.values(), authority.operatorIdentity]
      for (const holder of all) {
        expect(new X509Certificate(holder.certificatePem).validToDate.getTime()).toBeGreaterThan(clock.ms)
        for (const peer of all) expect(believes(holder, peer)).toBe(true)
      }
      clock.pass(stepMs)
    }
    expect(signers.size).toBe(3)
  })

  test.each(['announce', 'switch'])(
    'a process that ends after it has stored %s is followed by one that goes on',
    async (ending) => {
      const secrets = new MemorySecrets()
      const clock = new FakeClock()
      const first = await open(secrets, clock)
      clock.pass(authorityLifetimeMs * 0.7)
      await first.refresh()
      if (ending === 'switch') {
        clock.pass(authorityLifetimeMs * 0.2)
        await first.refresh()
      }
      const stored = secrets.stored.get('holdfast-ca')!
      const next = await open(secrets, clock)
      await next.refresh()
      expect(secrets.stored.get('holdfast-ca')).toBe(stored)
      expect(next.trustedPem).toBe(first.trustedPem)
      expect(next.trustedPem.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
      expect(Object.keys(stored.data).toSorted()).toEqual(
        ending === 'announce'
          ? ['next.crt', 'next.key', 'tls.crt', 'tls.key']
          : ['previous.crt', 'tls.crt', 'tls.key'],
      )
    },
  )

  test('one that has ended while no operator ran is replaced at once', async () => {
    const secrets = new MemorySecrets()
    const clock = new FakeClock()
    await open(secrets, clock)
    clock.pass(authorityLifetimeMs * 1.1)
    const late = await open(secrets, clock)
    await late.refresh()
    await late.refresh()
    const keys = authorityKeysOf('', secrets.stored.get('holdfast-ca')!.data)
    expect(trustedCertificates(keys, clock.ms)).toEqual([keys.signer.certificatePem])
    const { identity } = await late.keepNodeIdentity(none, organizationId, ['a.svc'])
    expect(new X509Certificate(identity.certificatePem).validToDate.getTime()).toBeGreaterThan(clock.ms)
  })

  test('those that were issued together are renewed apart from each other', async () => {
    const clock = new FakeClock()
    const authority = await open(new MemorySecrets(), clock)
    const ids = Array.from({ length: 20 }, (_, index) => index.toString(16).padStart(16, '0'))
    const dues = await Promise.all(
      ids.map(async (id) => (await authority.keepNodeIdentity(none, id, ['a.svc'])).dueMs - startMs),
    )
    for (const dueMs of dues) {
      expect(dueMs / certificateLifetimeMs).toBeGreaterThan(0.59)
      expect(dueMs / certificateLifetimeMs).toBeLessThan(0.67)
    }
    expect(Math.max(...dues) - Math.min(...dues)).toBeGreaterThan(certificateLifetimeMs / 60)
  })
})
