import { rm } from 'node:fs/promises'
import type { Cluster } from '../local-kubernetes/cluster.ts'
import { openCluster } from '../local-kubernetes/open-cluster.ts'
import { cacheFolder } from './cache.ts'
import { authorityFile, releaseNamespace } from './install.ts'
import { run, tryRun } from './run.ts'
import { script, timedProgress } from './script.ts'

/** `make down`: undoes `make up`. A cluster that was there before stays; only what `make up` put into it goes. */
const progress = timedProgress()

await script(async () => {
  const cluster = await openCluster(process.env['CLUSTER'])
  if (cluster.kind === 'current') await removeHoldfast(cluster)
  await cluster.down(progress)
  await rm(authorityFile(cluster), { force: true })
  progress(`done; what was compiled and downloaded is kept in ${cacheFolder()} for the next make up`)
})

async function removeHoldfast({ kubectl, helm, kubeconfig }: Cluster): Promise<void> {
  const access = ['--kubeconfig', kubeconfig]
  progress('deleting the tenants of examples/two-teams.yaml')
  const namespaces = ['delete', 'namespace', 'marketing', 'engineering', '--ignore-not-found', '--timeout=3m']
  await run(kubectl, [...access, ...namespaces])
  progress('uninstalling the chart')
  await tryRun(helm, ['uninstall', 'holdfast', '--namespace', releaseNamespace, ...access])
  progress(
    `left in the cluster, since they may hold data: the CustomResourceDefinitions, the namespace ${releaseNamespace} with its keys, and retained namespaces (kubectl get namespaces -l app.kubernetes.io/managed-by=holdfast-operator)`,
  )
}
