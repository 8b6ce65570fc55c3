import type { KubeObject } from '../../operator/kube/object.ts'
import { resourceOf } from '../../operator/kube/resource.ts'
import type { OperatorBench } from '../integration/operator-bench.ts'
import { tenantObjects } from '../support/example.ts'

/** The objects of these that are tenants', as they stand, null for what is not there. */
export function liveTenants(
  bench: OperatorBench,
  objects: readonly KubeObject[],
): Promise<readonly (KubeObject | null)[]> {
  return Promise.all(
    tenantObjects(objects).map(({ apiVersion, kind, metadata }) =>
      bench.get(resourceOf({ apiVersion, kind }), metadata.namespace, metadata.name),
    ),
  )
}

/** Waits until the operator says of every one of them that it is ready. */
export async function tenantsReady(bench: OperatorBench, objects: readonly KubeObject[]): Promise<void> {
  for (const { apiVersion, kind, metadata } of tenantObjects(objects))
    await bench.becomesReady(resourceOf({ apiVersion, kind }), metadata.namespace!, metadata.name, 90_000)
}
