import { Registry } from 'prom-client'
import type { Outcome } from '../../common/attempts.ts'
import { silentLogger } from '../../common/log.ts'
import { Controller } from '../../operator/controller/controller.ts'
import type { Nodes } from '../../operator/node-client/node-client.ts'
import { IsolationProver } from '../../operator/isolation/prover.ts'
import { Surveyor } from '../../operator/isolation/surroundings.ts'
import { Watches } from '../../operator/observe/watches.ts'
import { PassMemory } from '../../operator/reconcile/memory.ts'
import { reconcileTenant } from '../../operator/reconcile/tenant.ts'
import type { Cluster } from './cluster.ts'
import { FaultyClient, type Line } from './faulty-client.ts'

/** Metrics are looked up by name, so that all processes can share them. */
const registry = new Registry()

/** The operator from its watches to its writes, as its leader runs it; only its certificates are none. */
export class OperatorProcess {
  readonly line: Line
  readonly #watches: Watches
  readonly #controller: Controller
  readonly #cluster: Cluster
  readonly #prover: IsolationProver

  constructor(cluster: Cluster, line: Line) {
    this.line = line
    this.#cluster = cluster
    const { clock } = cluster
    const client = new FaultyClient(cluster.kube, line)
    const random = () => 0.5
    this.#watches = new Watches({ client, clock, log: silentLogger, registry, random, namespaces: [] })
    const nodes = nodesOf(cluster, line)
    this.#prover = proverOf(cluster, nodes, (key) => this.#controller.enqueue(key))
    this.#controller = new Controller({
      name: 'tenant',
      clock,
      log: silentLogger,
      registry,
      workers: 1,
      random,
      reconcile: reconcileTenant({
        client,
        // Secrets have no cache.
        caches: this.#watches.caches,
        nodes,
        isolation: this.#prover,
        get platform() {
          return cluster.platform
        },
        authority: cluster.authority,
        events: { record: () => undefined },
        memory: new PassMemory(),
        wakes: { wantedBy: () => cluster.wantedBy },
        clock,
        random,
        metrics: {
          tenantIs: () => undefined,
          tenantGone: () => undefined,
          pushFailed: () => undefined,
          rolloutEnded: () => undefined,
        },
      }),
    })
  }

  start(): void {
    this.#cluster.ask = (key) => this.#controller.enqueue(key, 'edit')
    this.#watches
      .start((key, priority) => this.#controller.enqueue(key, priority))
      .then(() => Promise.all([this.#controller.start(), this.#prover.start()]))
      // It was ended before its caches were filled.
      .catch(() => undefined)
  }

  async end(): Promise<void> {
    this.line.isDead = true
    await this.#watches.stop()
    await this.#controller.stop()
    await this.#prover.stop()
  }
}

/** The storage node as this process reaches it. */
function nodesOf(cluster: Cluster, line: Line): Nodes {
  const { nodes } = cluster
  const ask = <Answer>(what: string, act: () => Promise<Answer>): Promise<Answer> => {
    line.requireLife()
    return line.request('node', what, undefined, act)
  }
  return {
    getState: async (node) => {
      line.requireLife()
      return nodes.getState(node)
    },
    getDataKey: async () => {
      line.requireLife()
      return nodes.getDataKey()
    },
    pushState: (node, document) => ask('document', () => nodes.pushState(node, document)),
    deleteDatabase: (node, id) => ask(`drop ${id}`, () => nodes.deleteDatabase(node, id)),
    attempts: async (node, attempts) => {
      line.requireLife()
      return nodes.attempts(node, attempts)
    },
    tokenUses: async () => {
      line.requireLife()
      return nodes.tokenUses()
    },
    useDataKey: () => ask('data key', () => nodes.useDataKey()),
  }
}

/** The prover in a cluster whose paths are as `cluster.isOpen` says, and where the probe runs if `cluster.hasProbe`. */
function proverOf(cluster: Cluster, nodes: Nodes, onChange: (key: string) => void): IsolationProver {
  const { clock } = cluster
  const outcome = (): Outcome => (cluster.isOpen ? 'connected' : 'silent')
  cluster.nodes.outcomeOf = outcome
  const surveyor = new Surveyor({
    places: { probe: '10.0.0.9', gateway: { host: '10.0.0.8', port: 8086 }, nameServer: null },
    triers: {
      fromNode: (node, attempts) => nodes.attempts(node, attempts).catch(() => null),
      fromProbe: async (_address, [, ...attempts]) =>
        cluster.hasProbe ? { control: 'connected', outcomes: ['connected', ...attempts.map(outcome)] } : null,
    },
    resolve: async () => null,
    reach: async () => 'connected',
    clock,
  })
  return new IsolationProver({
    look: (subject, others) => surveyor.look(subject, others),
    onChange,
    clock,
    random: () => 0.5,
    log: silentLogger,
    tried: () => undefined,
  })
}
