import type { Registry } from 'prom-client'
import { systemClock } from '../common/clock.ts'
import type { Component } from '../common/lifecycle.ts'
import type { Logger } from '../common/log.ts'
import { RateLimit } from '../common/rate-limit.ts'
import type { Platform } from './api/platform.ts'
import type { Authority } from './authority/authority.ts'
import type { AuthorityMetrics } from './authority/metrics.ts'
import { authorityUpkeep } from './authority/upkeep.ts'
import type { OperatorConfig } from './config.ts'
import { Controller } from './controller/controller.ts'
import { openProver } from './isolation/open.ts'
import type { LeaderElection } from './controller/leader-election.ts'
import type { KubeClient } from './kube/client.ts'
import { EventRecorder } from './kube/events.ts'
import { createMetrics, type OperatorMetrics } from './metrics.ts'
import { NodeClient } from './node-client/node-client.ts'
import { Watches } from './observe/watches.ts'
import { PassMemory } from './reconcile/memory.ts'
import { reconcileTenant } from './reconcile/tenant.ts'
import { createWakeHandler } from './wake/door.ts'
import { OwnTls } from './wake/own-tls.ts'
import { wakeServer } from './wake/server.ts'
import { Wakes } from './wake/wakes.ts'

/** Of wake requests: a gateway asks four times a second for each token that waits. */
const wakeRates = {
  all: { perSecond: 400, burst: 800 },
  byOrganization: { perSecond: 50, burst: 100 },
}

export interface LeaderOptions {
  readonly client: KubeClient
  readonly election: LeaderElection
  readonly authority: Authority
  readonly authorityMetrics: Pick<AuthorityMetrics, 'failed'>
  /** As it is now: the certificate of the gateway's authority comes and changes while the operator runs. */
  readonly platform: () => Platform
  readonly config: OperatorConfig
  readonly registry: Registry
  readonly log: Logger
}

/** What runs on the operator that holds the lease, in the order of starting. Every write is fenced by the lease. */
export function leaderComponents(options: LeaderOptions): {
  readonly components: readonly Component[]
  /** What is still to be done before all tenants are looked after, null for nothing. */
  readonly missing: () => string | null
} {
  const { election, authority, platform, config, registry, log } = options
  const client = options.client.with({ fence: election.fence })
  const nodes = new NodeClient({
    identity: () => authority.operatorIdentity,
    clock: systemClock,
    fence: election.fence,
  })
  const events = new EventRecorder({ client, clock: systemClock, log })
  const watches = new Watches({
    client,
    clock: systemClock,
    log,
    registry,
    namespaces: config.watchNamespaces,
  })
  const metrics = createMetrics(registry, {
    nodeConnections: () => nodes.size,
    isLeader: () => election.held,
  })
  const wakes = new Wakes(systemClock)
  const prover = openProver({
    places: config.isolation,
    nodes,
    authority,
    log,
    tried: metrics.isolationTried,
    onChange: (key, priority) => controller.enqueue(key, priority),
  })
  const controller: Controller = new Controller({
    name: 'tenant',
    clock: systemClock,
    log,
    registry,
    workers: config.workers,
    reconcile: reconcileTenant({
      client: client.with({ priority: 'user' }),
      caches: watches.caches,
      nodes,
      isolation: prover,
      get platform() {
        return platform()
      },
      authority,
      events,
      memory: new PassMemory(),
      wakes,
      clock: systemClock,
      random: Math.random,
      metrics,
    }),
  })
  const components: Component[] = [
    events,
    { name: 'node client', start: async () => undefined, stop: () => nodes.close() },
    authorityUpkeep({
      refresh: () => authority.refresh(),
      failed: () => options.authorityMetrics.failed(),
      clock: systemClock,
      log,
    }),
    prover,
    {
      name: 'watches',
      start: () => watches.start((key, priority) => controller.enqueue(key, priority)),
      stop: () => watches.stop(),
    },
    controller,
    ...wakeDoor(options, watches, controller, wakes, metrics),
  ]
  return { components, missing: () => (watches.missing.length > 0 ? watches.missing.join(', ') : null) }
}

/** Where the gateway asks for organizations that hibernate; see common/wake-api.ts. */
function wakeDoor(
  { authority, config, log }: LeaderOptions,
  watches: Watches,
  controller: Controller,
  wakes: Wakes,
  metrics: OperatorMetrics,
): readonly Component[] {
  if (config.wakeListen === null) return []
  const handler = createWakeHandler({
    caches: watches.caches,
    keyOf: (organizationId) => watches.keyOf(organizationId),
    look: (key) => controller.enqueue(key, 'edit'),
    wakes,
    limits: {
      all: new RateLimit(wakeRates.all, systemClock),
      byOrganization: new RateLimit(wakeRates.byOrganization, systemClock),
    },
    count: (outcome) => metrics.wakeAsked(outcome),
    clock: systemClock,
    log,
  })
  const ownTls = new OwnTls(() => authority.operatorIdentity, systemClock)
  const server = wakeServer({
    listen: config.wakeListen,
    handler,
    tls: ownTls,
    installationId: authority.installationId,
    clock: systemClock,
    log,
  })
  return [ownTls, server]
}
