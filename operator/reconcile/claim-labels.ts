import { runtimeNamespace } from '../../common/ids.ts'
import type { DesiredInput } from '../desired/input.ts'
import { resources } from '../kube/resource.ts'
import { storageNodeSelector } from '../naming/labels.ts'
import { claimNames } from '../naming/names.ts'
import type { Pass } from './pass.ts'

/**
 * Claims are seen by their labels, which the StatefulSet controller gives them once: whoever takes one away hides the
 * claim from every pass, as if there were no volume. One that has to be there and is not seen is looked for by its name.
 */
export async function mendClaimLabels(
  pass: Pass,
  { organization, organizationId }: DesiredInput,
): Promise<void> {
  // Before it was ready for the first time its claims may still have to be made.
  if (organization.status?.stateDigest === undefined) return
  const namespace = runtimeNamespace(organizationId)
  const { persistentVolumeClaims: claims } = pass.caches
  const names = claimNames(organization.spec.storage.replicas)
  for (const name of names.filter((found) => !claims.get(namespace, found))) {
    const live = await pass.client.get(resources.persistentVolumeClaims, { namespace, name })
    if (!live || live.metadata.deletionTimestamp !== undefined) continue
    const { labels = {} } = live.metadata
    // Its watch has only not told of it yet.
    if (Object.entries(storageNodeSelector).every(([key, value]) => labels[key] === value)) {
      claims.observe(live, false)
      continue
    }
    claims.observe(await pass.client.patchMetadata(live, { labels: storageNodeSelector }))
    pass.log.warn(
      { claim: `${namespace}/${name}` },
      'labels of a claim were taken away by somebody else: put back',
    )
  }
}
