import { rm, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { Registry } from 'prom-client'
import { systemClock } from '../../common/clock.ts'
import { Lifecycle, untilSignalled } from '../../common/lifecycle.ts'
import { createLogger } from '../../common/log.ts'
import { Reflector } from '../../operator/controller/reflector.ts'
import { openKubeClient } from '../../operator/kube/http-client.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resources, type Resource } from '../../operator/kube/resource.ts'
import { compile } from './compile.ts'
import { Enforcer } from './enforcer.ts'
import { nftables } from './firewall.ts'
import type { NetworkPolicy, Pod } from './resources.ts'

/**
 * Enforces NetworkPolicies for the pods of this machine's cluster until SIGTERM; the rules stay in force after it.
 *
 *     node local-kubernetes/network-policy/main.ts --kubeconfig FILE --ready-file FILE
 *     node local-kubernetes/network-policy/main.ts --remove
 *
 * The ready file appears when the policies are in force, and goes with the process.
 */
const { values } = parseArgs({
  options: {
    kubeconfig: { type: 'string' },
    'ready-file': { type: 'string' },
    remove: { type: 'boolean', default: false },
  },
})

async function enforce(kubeconfig: string, readyFile: string | undefined): Promise<void> {
  const log = createLogger('network-policy')
  const clock = systemClock
  const registry = new Registry()
  const client = openKubeClient({ kubeconfig })
  const follow = (resource: Resource, transform?: (object: KubeObject) => KubeObject) =>
    new Reflector({ resource, client, clock, log, registry, ...(transform ? { transform } : {}) })
  const pods = follow(resources.pods, withoutContainerStates)
  const namespaces = follow(resources.namespaces)
  const policies = follow(resources.networkPolicies)
  const enforcer = new Enforcer({
    // The API server holds these objects to their schemas, of which the types here are a part.
    read: () => ({
      pods: pods.list() as unknown as readonly Pod[],
      namespaces: namespaces.list(),
      policies: policies.list() as unknown as readonly NetworkPolicy[],
    }),
    catchUp: async () => {
      for (const policy of (await client.list(resources.networkPolicies)).items) policies.observe(policy)
    },
    firewall: nftables,
    clock,
    log,
  })
  const lifecycle = new Lifecycle([pods, namespaces, policies, enforcer], log)
  for (const reflector of [pods, namespaces, policies]) reflector.onChange(() => enforcer.changed())

  // Between the start of a cluster and the first list nothing is known, so nothing may pass.
  if (!(await nftables.present())) await nftables.apply(compile({ pods: [], namespaces: [], policies: [] }))
  if (readyFile !== undefined) await rm(readyFile, { force: true })
  const signalled = untilSignalled()
  const outcome = await Promise.race([lifecycle.start().then(() => 'started' as const), signalled])
  // Whoever waits for an API server that is not there can simply go.
  if (outcome !== 'started') process.exit()
  if (readyFile !== undefined) await writeFile(readyFile, '')
  await signalled
  if (readyFile !== undefined) await rm(readyFile, { force: true })
  await lifecycle.stop()
  await client.close()
}

/** Most of what changes in a pod's status, and nothing that decides about packets. */
function withoutContainerStates(pod: KubeObject): KubeObject {
  const { phase, podIP } = (pod as unknown as Pod).status ?? {}
  return { ...pod, status: { phase, podIP } }
}

if (values.remove) await nftables.remove()
else if (values.kubeconfig !== undefined) await enforce(values.kubeconfig, values['ready-file'])
else {
  console.error('usage: main.ts --kubeconfig FILE [--ready-file FILE] | --remove')
  process.exitCode = 2
}
