import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { AppError } from '../../common/errors.ts'
import { cacheKey } from '../../scripts/cache.ts'
import { run } from '../../scripts/run.ts'
import { API_SERVER } from './components.ts'
import { BUSYBOX_IMAGE, COREDNS_IMAGE, LOCAL_PATH_IMAGE } from './images.ts'
import { CLUSTER_DOMAIN, DNS_ADDRESS, paths, program } from './layout.ts'
import { get, type ClientIdentity } from './probe.ts'

/** ConfigMap that says which manifests were applied. */
const RECORD = 'holdfast-addons'
const FOLDER = join(import.meta.dirname, 'addons')
const FILES = ['network-policy.yaml', 'coredns.yaml', 'local-path.yaml'] as const

/**
 * The manifests of what runs in the cluster from the start.
 *
 * @param nameServers who answers for names outside of the cluster; with none, such names do not exist
 */
export async function addonManifests(nameServers: readonly string[]): Promise<string> {
  const values: Readonly<Record<string, string>> = {
    clusterDomain: CLUSTER_DOMAIN,
    dnsAddress: DNS_ADDRESS,
    forward: nameServers.length > 0 ? 'forward . /etc/resolv.conf' : '',
    corednsImage: COREDNS_IMAGE,
    localPathImage: LOCAL_PATH_IMAGE,
    busyboxImage: BUSYBOX_IMAGE,
    volumesFolder: paths.volumes,
  }
  const manifests = await Promise.all(FILES.map((name) => readFile(join(FOLDER, name), 'utf8')))
  // In the pods' templates, so that other configuration is other pods.
  const configuration = cacheKey([...manifests, JSON.stringify(values)])
  return fillIn(manifests.join('---\n'), { ...values, configuration })
}

/** Puts values where `${name}` stands. */
export function fillIn(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new AppError('internal', 'ERR_CLUSTER_TEMPLATE', `no value for ${name}`)
    return value
  })
}

/** Applies the manifests, unless exactly these were applied before. */
export async function applyAddons(manifests: string, identity: ClientIdentity): Promise<void> {
  if (await areAddonsApplied(manifests, identity)) return
  const record = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: RECORD, namespace: 'kube-system' },
    data: { manifests: cacheKey([manifests]) },
  }
  // The record comes last: what was applied in part is applied again.
  for (const input of [manifests, stringify(record)]) {
    await run(
      program('kubectl'),
      [
        '--kubeconfig',
        paths.adminKubeconfig,
        'apply',
        '--server-side',
        '--force-conflicts',
        '--filename',
        '-',
      ],
      { input, timeoutMs: 120_000 },
    )
  }
}

/** The record lies in the cluster itself, so that it is lost with what it tells of. */
export async function areAddonsApplied(manifests: string, identity: ClientIdentity): Promise<boolean> {
  try {
    const path = `/api/v1/namespaces/kube-system/configmaps/${RECORD}`
    const record = JSON.parse(await get(`${API_SERVER}${path}`, identity)) as {
      data?: { manifests?: string }
    }
    return record.data?.manifests === cacheKey([manifests])
  } catch {
    return false
  }
}
