import { setTimeout as sleep } from 'node:timers/promises'
import type { TestCluster } from '../support/kubernetes.ts'
import type { Attempt } from './recovery.ts'

const pauseMs = 1_000

/** Changes an organization's spec again and again, and waits until the operator says that it has acted on it. */
export class OperatorChanges {
  readonly attempts: Attempt[] = []
  readonly #cluster: TestCluster
  readonly #reference: readonly string[]
  readonly #stopped = new AbortController()
  readonly #loop: Promise<void>

  /** @param reference arguments of kubectl that name the organization */
  constructor(cluster: TestCluster, reference: readonly string[]) {
    this.#cluster = cluster
    this.#reference = reference
    this.#loop = this.#changeOnAndOn()
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#loop
  }

  async #changeOnAndOn(): Promise<void> {
    for (let turn = 0; !this.#stopped.signal.aborted; turn++) {
      const startedMs = performance.now()
      const ok = await this.#change(turn).then(
        () => true,
        () => false,
      )
      this.attempts.push({ startedMs, endedMs: performance.now(), ok })
      await sleep(pauseMs)
    }
  }

  async #change(turn: number): Promise<void> {
    const cluster = this.#cluster
    const patch = JSON.stringify({ spec: { description: `turn ${turn}` } })
    const generation = await cluster.kubectl([
      'patch',
      ...this.#reference,
      '--type=merge',
      '--patch',
      patch,
      '--output=jsonpath={.metadata.generation}',
      '--request-timeout=5s',
    ])
    const taken = `--for=jsonpath={.status.observedGeneration}=${generation}`
    await cluster.kubectl(['wait', ...this.#reference, taken, '--timeout=20s'])
  }
}
