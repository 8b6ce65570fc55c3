import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { systemClock } from '../common/clock.ts'
import { keepHeapCompact, keepHeapSmall } from '../common/collector-flags.ts'
import { durationMs } from '../common/duration.ts'
import { AppError, messageOf } from '../common/errors.ts'
import { idOfUid } from '../common/ids.ts'
import { idleCollection } from '../common/idle-collection.ts'
import { Lifecycle, untilSignalled } from '../common/lifecycle.ts'
import { createLogger, type Logger } from '../common/log.ts'
import { createRegistry } from '../common/metrics.ts'
import { version } from '../common/version.ts'
import type { Platform } from './api/platform.ts'
import { Authority } from './authority/authority.ts'
import { createAuthorityMetrics, type AuthorityMetrics } from './authority/metrics.ts'
import { GatewayAuthority } from './authority/gateway-authority.ts'
import { ownSecrets } from './authority/own-secrets.ts'
import { readConfig, type OperatorConfig } from './config.ts'
import { LeaderElection } from './controller/leader-election.ts'
import type { KubeClient } from './kube/client.ts'
import { openKubeClient } from './kube/http-client.ts'
import { resources } from './kube/resource.ts'
import { leaderComponents } from './leader.ts'
import { managedLabels } from './naming/labels.ts'
import { parsePlatformFile, platformOf, type PlatformFile } from './platform-file.ts'
import { OperatorHealth, probesServer } from './probes.ts'

const leaseName = 'holdfast-operator'
/** The kubelet kills after 30 s. */
const stopLimitMs = 25_000
/**
 * The chart's limit is 256 MiB, and 1,000 organizations that were made took up to 268 without this. Not while all that there
 * is is read and compared, when little of the heap is garbage: with 1,000 that would take half as long again.
 */
const compactAfterMs = 60_000

async function main(): Promise<void> {
  keepHeapSmall()
  const config = readConfig(process.env)
  const log = createLogger('operator', { level: config.logLevel })
  const file = parsePlatformFile(await readFile(config.platformFile, 'utf8'))
  const registry = createRegistry('operator')
  const client = openKubeClient({
    registry,
    ...(config.kubeconfig === null ? {} : { kubeconfig: config.kubeconfig }),
  })
  const election = new LeaderElection({
    client,
    clock: systemClock,
    log,
    namespace: config.namespace,
    resource: resources.leases,
    leaseName,
    identity: `${config.podName}_${randomBytes(4).toString('hex')}`,
    onLost: () => process.exit(1),
  })
  const health = new OperatorHealth(systemClock)
  const probes = probesServer({ listen: config.metricsListen, registry, health, clock: systemClock, log })
  const standby = new Lifecycle([probes, idleCollection(systemClock), election], log)
  const signalled = untilSignalled()
  // An API server that is away must not keep a pod from ending; nothing is held yet that would have to be given back.
  const early = await Promise.race([standby.start(), signalled])
  if (early !== undefined) process.exit(0)
  health.standsBy()
  log.info({ version, namespace: config.namespace }, 'operator started')

  const leading = election.untilLeading().then(async () => {
    const fenced = client.with({ fence: election.fence })
    const authorityMetrics = createAuthorityMetrics(registry, systemClock)
    const authority = await openAuthority(fenced, config, file, authorityMetrics, log)
    const gateway = gatewayAuthority(client, config, file, log)
    const platform = (): Platform =>
      platformOf(file, authority.installationId, gateway ? gateway.current : authority.trustedPem)
    const parts = leaderComponents({
      client,
      election,
      authority,
      authorityMetrics,
      platform,
      config,
      registry,
      log,
    })
    health.leads(parts.missing)
    const leader = new Lifecycle([...(gateway ? [gateway] : []), ...parts.components], log)
    await leader.start()
    log.info('operator leads')
    setTimeout(keepHeapCompact, compactAfterMs).unref()
    return leader
  })
  const signal = await Promise.race([signalled, leading.then(() => signalled)])
  log.info({ signal }, 'stopping')
  const overdue = setTimeout(() => process.exit(1), stopLimitMs)
  // A stand-by never leads: stopping the election rejects its wait.
  const isLeading = election.held
  if (isLeading) await (await leading).stop()
  leading.catch(() => undefined)
  await standby.stop()
  await client.close()
  clearTimeout(overdue)
  log.info('stopped')
}

async function openAuthority(
  client: KubeClient,
  config: OperatorConfig,
  file: PlatformFile,
  metrics: AuthorityMetrics,
  log: Logger,
): Promise<Authority> {
  const namespace = await client.get(resources.namespaces, { name: config.namespace })
  const uid = namespace?.metadata.uid
  if (uid === undefined) {
    throw new AppError('not-found', 'ERR_NAMESPACE', `HOLDFAST_NAMESPACE: no namespace ${config.namespace}`)
  }
  const { issueCertificate, hosts } = file.gateway
  return Authority.open(
    {
      installationId: idOfUid(uid),
      gatewayHosts: issueCertificate ? hosts : null,
      certificateLifetimeMs: durationMs(file.certificates.lifetime),
      authorityLifetimeMs: durationMs(file.certificates.authorityLifetime),
    },
    { secrets: ownSecrets(client, config.namespace, managedLabels), clock: systemClock, log, metrics },
  )
}

/** What the platform puts beside a certificate of its own; null where the authority is ours. */
function gatewayAuthority(
  client: KubeClient,
  config: OperatorConfig,
  file: PlatformFile,
  log: Logger,
): GatewayAuthority | null {
  if (file.gateway.issueCertificate) return null
  const secrets = ownSecrets(client, config.namespace, managedLabels)
  const read = async () => (await secrets.read(file.gateway.tlsSecretName))?.data ?? null
  return new GatewayAuthority({ read, clock: systemClock, log })
}

try {
  await main()
} catch (error) {
  console.error(messageOf(error))
  process.exit(1)
}
