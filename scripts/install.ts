import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cluster } from '../local-kubernetes/cluster.ts'
import { cacheFolder } from './cache.ts'
import { buildImages } from './images.ts'
import { run, type Progress } from './run.ts'

export const releaseNamespace = 'holdfast-system'
export const gatewayNodePort = 30086
const root = join(import.meta.dirname, '..')

/** The gateway's address as seen from this machine. */
export function gatewayUrl(cluster: Cluster): string {
  return `https://${cluster.nodeAddress}:${gatewayNodePort}`
}

/** Where `make up` leaves the certificate that the gateway's is checked against: a secret to nobody. */
export function authorityFile(cluster: Cluster): string {
  return join(cacheFolder(), `gateway-${cluster.kind}.crt`)
}

/**
 * Builds the images, brings them into the cluster and installs or upgrades the chart there. Run again with nothing
 * changed, it changes nothing.
 */
export async function install(cluster: Cluster, progress: Progress): Promise<void> {
  progress('images')
  const images = await buildImages()
  await cluster.loadImages(images.map(({ archive }) => archive))
  const imageOf = (program: string): string => {
    const found = images.find(({ name }) => name.includes(`/${program}:`))
    if (!found) throw new Error(`no image named ${program} was built`)
    return found.name
  }
  progress('chart')
  const [repository, tag] = imageOf('holdfast').split(/:(?=[^/]*$)/) as [string, string]
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const values = {
    image: { repository, tag },
    operator: { replicas: 1 },
    gateway: {
      replicas: 1,
      service: { type: 'NodePort', nodePort: gatewayNodePort },
      tls: { hosts: [cluster.nodeAddress, 'localhost', '127.0.0.1'] },
    },
    storageNode: { defaultVersion: version, images: { [version]: imageOf('holdfast-storage-node') } },
  }
  await run(
    cluster.helm,
    [
      'upgrade',
      '--install',
      'holdfast',
      join(root, 'charts/holdfast'),
      '--namespace',
      releaseNamespace,
      '--create-namespace',
      '--kubeconfig',
      cluster.kubeconfig,
      '--values',
      '-',
      '--wait',
      '--timeout',
      '5m',
    ],
    {
      input: JSON.stringify(values),
      timeoutMs: 6 * 60_000,
      progress: 'waiting for operator and gateway',
      report: progress,
    },
  )
}
