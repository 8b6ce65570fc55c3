import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { Agent } from 'undici'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { silentLogger } from '../../common/log.ts'
import type { StateDocument } from '../../common/state-document.ts'
import { parseGatewayConfig } from '../../gateway/config.ts'
import { createGateway, type Gateway } from '../../gateway/gateway.ts'
import { Authority } from '../../operator/authority/authority.ts'
import { identityData, type Identity } from '../../operator/authority/secrets.ts'
import { NodeClient, type NodeAddress } from '../../operator/node-client/node-client.ts'
import { firstDocument } from '../../storage-node/state/alone.ts'
import { withDatabase } from '../../storage-node/state/catalog-changes.ts'
import { agentOf, host, installationId, newToken, send } from '../support/installation.ts'
import { MemorySecrets } from '../support/memory-secrets.ts'
import { MountedSecret } from '../support/mounted-secret.ts'
import { undisturbed } from '../support/stalls.ts'
import { startStorageNode, type NodeProcess } from '../support/storage-node.ts'

/**
 * Promise: certificates are renewed, and so is the authority behind them, while nobody who writes, reads or asks notices:
 * no request fails, and no connection that is open is cut. A storage node as a process of its own, the gateway, the
 * operator's authority and its client, with certificates that last seconds, shown to them as the kubelet does.
 */

/** So that the last third of it is longer than a machine may stand still. */
const certificateLifetimeMs = 15_000
const authorityLifetimeMs = 38_000
/** The first authority has ended by then, and what the second one has issued has been renewed too. */
const runMs = 43_000

const id = 'aaaaaaaaaaaaaaaa'
const nodeAddress: NodeAddress = { organizationId: id, podUid: 'pod', host }
const token = newToken(id, [{ database: 'metrics', access: ['read', 'write'] }])
const authorization = `Token ${token.text}`
const document: StateDocument = {
  ...withDatabase(firstDocument(id), 'metrics', null, '1111111111111111')!,
  organization: { id, name: 'team', displayName: 'Team', directAccess: false },
  tokens: [token.state],
}

const mountNames = ['node', 'gateway', 'public'] as const

/** All parts of an installation with one organization. */
interface Scene {
  readonly folder: string
  readonly authority: Authority
  readonly signers: Set<string>
  readonly stopRenewing: () => Promise<Run>
  readonly node: NodeProcess
  readonly gateway: Gateway
  readonly operator: NodeClient
}

interface Run {
  readonly count: number
  readonly failures: readonly string[]
}

let scene: Scene

/** Does something again and again until it is told to stop. */
function again(pauseMs: number, act: (index: number) => Promise<void>): () => Promise<Run> {
  const over = new AbortController()
  const run = async (): Promise<Run> => {
    const failures: string[] = []
    let count = 0
    for (; !over.signal.aborted; count += 1) {
      await undisturbed(() => act(count)).catch((error: unknown) =>
        failures.push(`call ${count}: ${String(error)}`),
      )
      await systemClock.sleep(pauseMs)
    }
    return { count, failures }
  }
  const running = run()
  return () => {
    over.abort()
    return running
  }
}

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-renewal-'))
  const mounts = Object.fromEntries(
    mountNames.map((name) => [name, new MountedSecret(join(folder, name))]),
  ) as Record<(typeof mountNames)[number], MountedSecret>
  const secrets = new MemorySecrets()
  const authority = await Authority.open(
    { installationId, gatewayHosts: [host], certificateLifetimeMs, authorityLifetimeMs },
    {
      secrets,
      clock: systemClock,
      log: silentLogger,
      metrics: { ends: () => undefined, nodeEnds: () => undefined, issued: () => undefined },
    },
  )
  const signers = new Set<string>()
  let nodeIdentity: Partial<Identity> = {}
  /** What the operator does every few seconds, and the kubelets after it. */
  const renew = async (): Promise<void> => {
    await authority.refresh()
    const kept = await authority.keepNodeIdentity(nodeIdentity, id, ['storage-node.svc'])
    nodeIdentity = kept.identity
    signers.add(secrets.stored.get('holdfast-ca')!.data['tls.crt']!)
    await mounts.node.show(identityData(kept.identity))
    await mounts.gateway.show(secrets.stored.get('holdfast-gateway-identity')!.data)
    await mounts.public.show(secrets.stored.get('holdfast-gateway-tls')!.data)
  }
  await renew()
  const stopRenewing = again(200, renew)
  const keyFile = join(folder, 'data-key')
  await writeFile(keyFile, randomBytes(32).toString('base64'))
  const node = await startStorageNode([], {
    HOLDFAST_ORGANIZATION_ID: id,
    HOLDFAST_INSTALLATION_ID: installationId,
    HOLDFAST_DATA_DIR: join(folder, 'data'),
    HOLDFAST_TLS_DIR: mounts.node.folder,
    HOLDFAST_DATA_KEY_FILE: keyFile,
    HOLDFAST_LISTEN: `${host}:0`,
    HOLDFAST_ADMIN_LISTEN: `${host}:0`,
  })
  const gateway = createGateway(
    parseGatewayConfig({
      HOLDFAST_LISTEN: `${host}:0`,
      HOLDFAST_METRICS_LISTEN: `${host}:0`,
      HOLDFAST_IDENTITY_DIR: mounts.gateway.folder,
      HOLDFAST_TLS_DIR: mounts.public.folder,
    }),
    () => ({ host, port: node.port }),
    systemClock,
    silentLogger,
  )
  await gateway.start()
  const operator = new NodeClient({
    identity: () => authority.operatorIdentity,
    clock: systemClock,
    port: node.adminPort,
  })
  scene = { folder, authority, signers, stopRenewing, node, gateway, operator }
})

afterEach(async () => {
  await scene.operator.close()
  await scene.gateway.stop()
  await scene.node.stop()
  await scene.stopRenewing()
  await rm(scene.folder, { recursive: true, force: true })
})

const url = (path: string): string => `https://${host}:${scene.gateway.port}${path}`

async function write(agent: Agent, line: string): Promise<void> {
  const options = { method: 'POST', body: line, headers: { authorization } }
  const { status, text } = await send(agent, url('/write?db=metrics'), options)
  if (status !== 204) throw new Error(`${status} ${text}`)
}

/** With the authorities that are known now, as a client that has just read its Secret. */
async function onNewConnection<Result>(act: (agent: Agent) => Promise<Result>): Promise<Result> {
  const agent = agentOf(scene.authority.trustedPem, null)
  try {
    return await act(agent)
  } finally {
    await agent.close()
  }
}

/** A write whose body goes on for as long as one likes. */
async function longWrite() {
  const socket = connect({ host, port: scene.gateway.port, ca: scene.authority.trustedPem })
  await once(socket, 'secureConnect')
  let answer = ''
  socket.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')))
  socket.on('error', (error) => (answer += String(error)))
  socket.write(
    `POST /write?db=metrics HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nTransfer-Encoding: chunked\r\n\r\n`,
  )
  const chunk = (text: string) => socket.write(`${text.length.toString(16)}\r\n${text}\r\n`)
  return {
    send: (index: number) => void chunk(`slow v=${index} ${index + 1}\n`),
    end: async () => {
      socket.write('0\r\n\r\n')
      await expect.poll(() => answer).not.toBe('')
      socket.destroy()
      return answer
    },
  }
}

async function countOf(measurement: string): Promise<number> {
  const query = encodeURIComponent(`SELECT count(v) FROM ${measurement}`)
  const { text } = await onNewConnection((agent) =>
    send(agent, url(`/query?db=metrics&q=${query}`), { headers: { authorization } }),
  )
  return Number(/\[\[0?[^,]*,(\d+)\]\]/.exec(text)?.[1] ?? NaN)
}

test('through many renewals and two authorities nothing fails', async () => {
  const { authority, operator, gateway, node, signers } = scene
  await expect
    .poll(() => operator.pushState(nodeAddress, document, '').catch(String))
    .toMatchObject({ outcome: 'accepted' })
  // It knows the first authority alone, and its one connection is never cut.
  const loyal = agentOf(authority.trustedPem, null)
  const slow = await longWrite()
  const calls = {
    kept: again(20, (index) => write(loyal, `kept v=${index} ${index + 1}`)),
    fresh: again(50, (index) => onNewConnection((agent) => write(agent, `fresh v=${index} ${index + 1}`))),
    slow: again(100, async (index) => slow.send(index)),
    admin: again(50, async () => void (await operator.getState(nodeAddress))),
  }
  await systemClock.sleep(runMs)
  const runs: Record<string, Run> = {}
  for (const [name, stop] of Object.entries(calls)) runs[name] = await stop()
  expect(await slow.end()).toMatch(/^HTTP\/1\.1 204 /)
  await loyal.close()
  for (const [name, { failures }] of Object.entries(runs)) expect(failures, name).toEqual([])

  for (const name of ['kept', 'fresh', 'slow']) {
    expect(runs[name]!.count).toBeGreaterThan(50)
    expect(await countOf(name)).toBe(runs[name]!.count)
  }
  expect(signers.size).toBeGreaterThanOrEqual(2)
  const reloads = node.log.filter(({ msg }) => msg === 'certificates reloaded')
  expect(reloads.length).toBeGreaterThanOrEqual(4)
  expect(node.log.filter(({ msg }) => msg.startsWith('certificates not reloaded'))).toEqual([])
  const metrics = await (await fetch(`http://${host}:${gateway.metricsPort}/metrics`)).text()
  for (const certificate of ['identity', 'server']) {
    const value = (name: string) =>
      Number(new RegExp(`^${name}\\{.*certificate="${certificate}".*\\} (\\S+)$`, 'm').exec(metrics)?.[1])
    expect(value('holdfast_certificate_reloads_total')).toBeGreaterThanOrEqual(4)
    expect(value('holdfast_certificate_reload_failures_total')).toBe(0)
    const leftMs = value('holdfast_certificate_expiry_timestamp_seconds') * 1_000 - Date.now()
    expect(leftMs).toBeGreaterThan(0)
    expect(leftMs).toBeLessThanOrEqual(certificateLifetimeMs)
  }
  expect((await scene.stopRenewing()).failures).toEqual([])
})
