import type { Registry } from 'prom-client'
import { systemClock } from '../common/clock.ts'
import type { Component } from '../common/lifecycle.ts'
import type { Logger } from '../common/log.ts'
import type { Platform } from './api/platform.ts'
import type { Authority } from './authority/authority.ts'
import type { OperatorConfig } from './config.ts'
import { Controller } from './controller/controller.ts'
import type { LeaderElection } from './controller/leader-election.ts'
import type { KubeClient } from './kube/client.ts'
import { EventRecorder } from './kube/events.ts'
import { createMetrics } from './metrics.ts'
import { NodeClient } from './node-client/node-client.ts'
import { Watches } from './observe/watches.ts'
import { PassMemory } from './reconcile/memory.ts'
import { reconcileTenant } from './reconcile/tenant.ts'

/** Certificates last a year; an hour more or less does not matter. */
const refreshMs = 3_600_000

export interface LeaderOptions {
  readonly client: KubeClient
  readonly election: LeaderElection
  readonly authority: Authority
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
  const nodes = new NodeClient({ identity: () => authority.operatorIdentity, clock: systemClock })
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
  const controller = new Controller({
    name: 'tenant',
    clock: systemClock,
    log,
    registry,
    workers: config.workers,
    reconcile: reconcileTenant({
      client: client.with({ priority: 'user' }),
      caches: watches.caches,
      nodes,
      get platform() {
        return platform()
      },
      authority,
      events,
      memory: new PassMemory(),
      clock: systemClock,
      random: Math.random,
      metrics,
    }),
  })
  const components: Component[] = [
    events,
    { name: 'node client', start: async () => undefined, stop: () => nodes.close() },
    renewal(authority, log),
    {
      name: 'watches',
      start: () => watches.start((key, priority) => controller.enqueue(key, priority)),
      stop: () => watches.stop(),
    },
    controller,
  ]
  return { components, missing: () => (watches.missing.length > 0 ? watches.missing.join(', ') : null) }
}

/** Renews what the authority has issued when its time comes. */
function renewal(authority: Authority, log: Logger): Component {
  const stopping = new AbortController()
  let running: Promise<void> = Promise.resolve()
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await systemClock.sleep(refreshMs, stopping.signal).catch(() => undefined)
      if (stopping.signal.aborted) return
      await authority
        .refresh()
        .catch((error: unknown) => log.error({ err: error }, 'certificates not renewed'))
    }
  }
  return {
    name: 'certificate renewal',
    start: async () => {
      running = run()
    },
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}
