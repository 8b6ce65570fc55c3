import { openCluster } from '../local-kubernetes/open-cluster.ts'
import { releaseNamespace } from './install.ts'
import { progressOnStderr, run, tryRun } from './run.ts'

/** `make down`: undoes `make up`. A cluster that was there before stays; only what `make up` put into it goes. */
const cluster = await openCluster(process.env['CLUSTER'])
if (cluster.kind === 'current') {
  const kubectl = (...args: readonly string[]) =>
    run(cluster.kubectl, ['--kubeconfig', cluster.kubeconfig, ...args])
  await kubectl('delete', 'namespace', 'marketing', 'engineering', '--ignore-not-found', '--timeout=3m')
  await tryRun(cluster.helm, [
    'uninstall',
    'holdfast',
    '--namespace',
    releaseNamespace,
    '--kubeconfig',
    cluster.kubeconfig,
  ])
  progressOnStderr(
    'left in the cluster, since they may hold data: the CustomResourceDefinitions and retained namespaces (kubectl get namespaces -l app.kubernetes.io/managed-by=holdfast-operator)',
  )
}
await cluster.down()
