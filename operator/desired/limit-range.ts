import type { TenantClass } from '../api/platform.ts'
import { canonicalQuantity } from '../api/quantity.ts'
import type { KubeObject } from '../kube/object.ts'
import { limitRangeName } from '../naming/names.ts'
import { runtimeMetadata, type DesiredInput } from './input.ts'
import { volumeSize } from './volume-size.ts'

/**
 * No container of the namespace gets more than a storage node has, no claim more than its volume.
 * @param resources of the storage node as it is to run, which after a way back are not those of its class
 */
export function limitRange(input: DesiredInput, { requests, limits }: TenantClass['resources']): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: runtimeMetadata(input, limitRangeName),
    spec: {
      limits: [
        {
          type: 'Container',
          ...resourcesPart('default', limits),
          ...resourcesPart('defaultRequest', requests),
          ...resourcesPart('max', limits),
        },
        { type: 'PersistentVolumeClaim', max: { storage: volumeSize(input) } },
      ],
    },
  }
}

/**
 * A resource list under `key`, in the API server's spelling and in the order of names. An empty one is left out, as the
 * API server does when it stores the object.
 */
export function resourcesPart(
  key: string,
  resources: Readonly<Record<string, string>>,
): Readonly<Record<string, unknown>> {
  const entries = Object.entries(resources)
    .map(([name, amount]) => [name, canonicalQuantity(amount)] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return entries.length === 0 ? {} : { [key]: Object.fromEntries(entries) }
}
