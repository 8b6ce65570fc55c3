import { homedir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../common/errors.ts'
import { run, tryRun, type Progress } from '../scripts/run.ts'
import type { Cluster } from './cluster.ts'
import { ensureTools, findTools } from './tools.ts'

/** Command that brings an image archive to the nodes; the archive's path is added to it. */
const LOADER = 'HOLDFAST_IMAGE_LOADER'

/** The cluster that kubectl talks to now. It is neither made nor unmade here. */
export class CurrentCluster implements Cluster {
  readonly kind = 'current'
  readonly auditLog = undefined
  readonly faults = undefined
  readonly kubeconfig = process.env['KUBECONFIG'] ?? join(homedir(), '.kube/config')
  readonly kubectl = findTools().kubectl
  readonly helm = findTools().helm
  #nodeAddress = ''

  /** `HOLDFAST_NODE_ADDRESS` says where node ports are reached, if that is not the first node's own address. */
  static async open(): Promise<CurrentCluster> {
    const cluster = new CurrentCluster()
    await cluster.#findNodeAddress()
    return cluster
  }

  get nodeAddress(): string {
    return this.#nodeAddress
  }

  async isUp(): Promise<boolean> {
    return (
      (await tryRun(this.kubectl, ['get', '--raw', '/readyz'], { env: this.#env(), timeoutMs: 10_000 })) ===
      'ok'
    )
  }

  async up(progress: Progress): Promise<void> {
    await ensureTools(progress)
    await this.#findNodeAddress()
    if (await this.isUp()) return
    throw new AppError(
      'unavailable',
      'ERR_CLUSTER_UNREACHABLE',
      `the current context of ${this.kubeconfig} does not answer: choose another with kubectl config use-context, or leave CLUSTER away to get a cluster of its own`,
    )
  }

  /** @throws AppError ERR_CLUSTER_LOADER if nobody said how images come to this cluster's nodes */
  async loadImages(archives: readonly string[]): Promise<void> {
    const command = process.env[LOADER]
    if (command === undefined || command === '') {
      throw new AppError(
        'unavailable',
        'ERR_CLUSTER_LOADER',
        `how images come to the nodes of your cluster is not known here: set ${LOADER} to a command that takes the path of a Docker archive, for example "k3s ctr images import" or "minikube image load"; the archives are ${archives.join(', ')}`,
      )
    }
    for (const archive of archives) await run('sh', ['-c', `${command} "$1"`, 'sh', archive])
  }

  async down(progress?: Progress): Promise<void> {
    progress?.('the current cluster was there before: it stays')
  }

  async #findNodeAddress(): Promise<void> {
    const path = '-o=jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}'
    const options = { env: this.#env(), timeoutMs: 10_000 }
    const address =
      process.env['HOLDFAST_NODE_ADDRESS'] ?? (await tryRun(this.kubectl, ['get', 'nodes', path], options))
    this.#nodeAddress = address?.split(' ', 1)[0] ?? ''
  }

  #env(): Record<string, string> {
    return { KUBECONFIG: this.kubeconfig }
  }
}
