import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { systemClock } from '../../common/clock.ts'
import type { HttpServer } from '../../common/http-server.ts'
import { identity } from '../../common/identity.ts'
import { tokenId } from '../../common/ids.ts'
import type { Component } from '../../common/lifecycle.ts'
import { silentLogger } from '../../common/log.ts'
import { RateLimit } from '../../common/rate-limit.ts'
import { stateDigest } from '../../common/state-document.ts'
import { hashToken } from '../../common/token.ts'
import type { Store } from '../../operator/controller/store.ts'
import { createProbe } from '../../operator/isolation-probe/probe.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { probesServer } from '../../operator/probes.ts'
import { createWakeHandler } from '../../operator/wake/door.ts'
import { OwnTls } from '../../operator/wake/own-tls.ts'
import { wakeServer } from '../../operator/wake/server.ts'
import { Wakes } from '../../operator/wake/wakes.ts'
import { writeIdentity, type TestIdentity } from './certificates.ts'
import { agentOf, host, installationId, type Tenant } from './installation.ts'
import { ProductAuthority } from './product-authority.ts'
import { startStorageNode, untilReady, type NodeProcess } from './storage-node.ts'
import { TwoTenants } from './two-tenants.ts'

/** The listeners that docs/reference/listeners.md names. */
export type ListenerName = keyof EveryListener['ports']

/**
 * All that listens, with certificates by the operator's own authority: storage nodes as processes of their own, the
 * gateway, the probe and the operator's servers as their programs make them.
 */
export class EveryListener {
  readonly authority: ProductAuthority
  readonly tenants: TwoTenants
  /** Of the node that runs alone. */
  readonly aloneToken: string
  readonly ports
  readonly #parts: readonly Pick<Component, 'stop'>[]

  private constructor(
    authority: ProductAuthority,
    tenants: TwoTenants,
    own: {
      alone: NodeProcess
      aloneToken: string
      door: HttpServer
      ownTls: OwnTls
      probes: HttpServer
      probe: ReturnType<typeof createProbe>
    },
  ) {
    this.authority = authority
    this.tenants = tenants
    this.aloneToken = own.aloneToken
    const { a, b, gateway } = tenants
    this.ports = {
      node: a.process.port,
      'node, direct access': b.process.port,
      'node, admin': a.process.adminPort,
      'wake door': own.door.port,
      'operator, probes': own.probes.port,
      gateway: gateway.port,
      'gateway, metrics': gateway.metricsPort,
      'isolation probe': own.probe.port,
      'isolation probe, open': own.probe.openPort,
      'node alone': own.alone.port,
      'node alone, metrics': own.alone.metricsPort,
    }
    const alone = { stop: async () => void (await own.alone.stop()) }
    this.#parts = [own.door, own.ownTls, own.probes, own.probe, alone, tenants]
  }

  static async start(): Promise<EveryListener> {
    const authority = await ProductAuthority.create(installationId)
    const tenants = await TwoTenants.start(authority)
    const { a, b, installation } = tenants
    const open = { ...b.document, organization: { ...b.document.organization, directAccess: true } }
    await installation.push(b, open, stateDigest(b.document))
    const aloneFolder = join(installation.folder, 'alone')
    const alone = await startAlone(aloneFolder, await authority.issue())
    const ownTls = new OwnTls(() => clientIdentityOf(installation.operator), systemClock)
    const any = { host, port: 0 }
    const parts = { clock: systemClock, log: silentLogger }
    const door = wakeServer({
      listen: any,
      handler: wakeHandlerFor(a),
      tls: ownTls,
      installationId,
      ...parts,
    })
    const health = { alive: () => null, ready: () => null }
    const probes = probesServer({ listen: any, registry: new Registry(), health, ...parts })
    const ofProbe = await authority.issue(identity(installationId, 'probe'))
    const identityDir = await writeIdentity(join(installation.folder, 'probe'), ofProbe)
    const probe = createProbe(
      { listen: any, openListen: any, identityDir },
      { reach: async () => 'silent', ...parts },
    )
    for (const part of [ownTls, door, probes, probe]) await part.start()
    const aloneToken = (await readFile(join(aloneFolder, 'data', 'admin-token'), 'utf8')).trim()
    return new EveryListener(authority, tenants, { alone, aloneToken, door, ownTls, probes, probe })
  }

  async stop(): Promise<void> {
    for (const part of this.#parts) await part.stop()
  }
}

async function startAlone(folder: string, shown: TestIdentity): Promise<NodeProcess> {
  await mkdir(folder)
  const any = `${host}:0`
  const tls = await writeIdentity(join(folder, 'tls'), shown)
  const data = join(folder, 'data')
  const flags = ['--data', data, '--listen', any, '--metrics-listen', any, '--tls-dir', tls]
  const node = await startStorageNode(flags)
  const agent = agentOf(shown.ca, null)
  await untilReady(node.port, agent)
  await agent.close()
  return node
}

const clientIdentityOf = ({ cert, key, ca }: TestIdentity) => ({
  certificatePem: cert,
  privateKeyPem: key,
  authorityPem: ca,
})

/** The wake door of an operator that knows one organization, which runs, and its token. */
function wakeHandlerFor({ id, token }: Tenant) {
  const apiVersion = 'holdfast.dev/v1alpha1'
  const metadata = { namespace: 'team', creationTimestamp: '2026-11-22T00:00:00Z' }
  const hash = hashToken(token)
  const organization: KubeObject = {
    apiVersion,
    kind: 'Organization',
    metadata: { ...metadata, name: 'acme', uid: 'acme-uid' },
    spec: { hibernation: 'WhenIdle' },
    status: { conditions: [], hibernation: { step: 'Hibernated', since: '2026-11-22T00:00:00Z' } },
  }
  const issued: KubeObject = {
    apiVersion,
    kind: 'Token',
    metadata: { ...metadata, name: 'writer', uid: 'token-uid' },
    spec: { organization: 'acme', permissions: [{ database: '*', access: ['write'] }] },
    status: {
      conditions: [],
      organizationId: id,
      tokens: [{ id: tokenId(hash), hash, createdAt: '2026-11-22T00:00:00Z' }],
    },
  }
  const unlimited = () => new RateLimit({ perSecond: 1_000, burst: 1_000 }, systemClock)
  return createWakeHandler({
    caches: {
      organizations: storeOf(organization),
      tokens: storeOf(issued),
      networkPolicies: storeOf(),
    },
    keyOf: (organizationId) => (organizationId === id ? 'team/acme' : undefined),
    look: () => undefined,
    wakes: new Wakes(systemClock),
    limits: { all: unlimited(), byOrganization: unlimited() },
    count: () => undefined,
    clock: systemClock,
    log: silentLogger,
  })
}

const storeOf = (...objects: readonly KubeObject[]): Store => ({
  size: objects.length,
  get: (_namespace, name) => objects.find((object) => object.metadata.name === name),
  list: () => objects,
  observe: () => undefined,
  writing: () => () => undefined,
})
