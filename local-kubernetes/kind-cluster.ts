import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { cacheFolder } from '../scripts/cache.ts'
import { run, tryRun, type Progress } from '../scripts/run.ts'
import type { Cluster } from './cluster.ts'
import { ensureTools, findTools } from './tools.ts'

const NAME = 'holdfast'
/** Docker publishes these on the loopback: on some systems nothing else reaches into its network. */
const NODE_PORTS = [30086, 30087, 30088]

/** A cluster of one node in Docker, made by kind; its own network plugin enforces network policies. */
export class KindCluster implements Cluster {
  readonly kind = 'kind'
  readonly nodeAddress = '127.0.0.1'
  readonly auditLog = undefined
  readonly faults = undefined
  readonly kubectl = findTools().kubectl
  readonly helm = findTools().helm
  readonly #folder = join(cacheFolder(), 'kind')
  readonly kubeconfig = join(this.#folder, 'kubeconfig')

  async isUp(): Promise<boolean> {
    const kubeconfig = await tryRun('kind', ['get', 'kubeconfig', '--name', NAME])
    if (kubeconfig === undefined) return false
    await mkdir(this.#folder, { recursive: true })
    await writeFile(this.kubeconfig, kubeconfig, { mode: 0o600 })
    return (await tryRun(this.kubectl, ['--kubeconfig', this.kubeconfig, 'get', '--raw', '/readyz'])) === 'ok'
  }

  async up(progress: Progress): Promise<void> {
    await ensureTools(progress)
    if (await this.isUp()) return
    await this.down(progress)
    await mkdir(this.#folder, { recursive: true })
    const config = {
      kind: 'Cluster',
      apiVersion: 'kind.x-k8s.io/v1alpha4',
      nodes: [
        {
          role: 'control-plane',
          extraPortMappings: NODE_PORTS.map((port) => ({
            containerPort: port,
            hostPort: port,
            listenAddress: this.nodeAddress,
          })),
        },
      ],
    }
    const options = ['--name', NAME, '--kubeconfig', this.kubeconfig, '--wait', '180s', '--config', '-']
    await run('kind', ['create', 'cluster', ...options], {
      input: stringify(config),
      progress: 'creating a cluster with kind',
      report: progress,
    })
  }

  async loadImages(archives: readonly string[]): Promise<void> {
    for (const archive of archives) await run('kind', ['load', 'image-archive', archive, '--name', NAME])
  }

  async down(progress?: Progress): Promise<void> {
    progress?.('deleting the cluster of kind, if there is one')
    await run('kind', ['delete', 'cluster', '--name', NAME, '--kubeconfig', this.kubeconfig])
  }
}
