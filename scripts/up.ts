import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { openCluster } from '../local-kubernetes/open-cluster.ts'
import { clientLine } from './client-line.ts'
import { authorityFile, gatewayUrl, install } from './install.ts'
import { run, spanOf } from './run.ts'
import { script, timedProgress } from './script.ts'
import { ensurePrograms } from './system-packages.ts'

/** `make up`: a cluster, Holdfast on it, the two example tenants Ready, and lines to paste. */
const root = join(import.meta.dirname, '..')
const startedMs = performance.now()
const progress = timedProgress()

await script(async () => {
  await ensurePrograms(['curl'], progress)
  const cluster = await openCluster(process.env['CLUSTER'])
  await cluster.up(progress)
  await install(cluster, progress)

  const kubectl = (...args: readonly string[]) =>
    run(cluster.kubectl, ['--kubeconfig', cluster.kubeconfig, ...args])
  progress('tenants of examples/two-teams.yaml')
  await kubectl('apply', '-f', join(root, 'examples/two-teams.yaml'))
  for (const namespace of ['marketing', 'engineering']) {
    const wait = ['wait', '--namespace', namespace, '--for=condition=Ready', '--all', '--timeout=3m']
    await kubectl(...wait, 'org,hdb,htok')
  }

  const token = { namespace: 'marketing', secret: 'marketing-api-token' }
  const authority = authorityFile(cluster)
  const template = `go-template={{index .data "ca.crt" | base64decode}}`
  await writeFile(
    authority,
    await kubectl('get', 'secret', token.secret, '--namespace', token.namespace, '-o', template),
  )
  const line = (path: string, ...options: readonly string[]) =>
    clientLine({ ...cluster, ...token, authority, url: gatewayUrl(cluster) + path, options })

  console.log(`
${await kubectl('get', 'holdfast', '--all-namespaces')}
Ready in ${spanOf(performance.now() - startedMs)}. Each line works by itself, in any shell.

Write as Marketing; no answer means written:

${line('/api/v2/write?org=Marketing&bucket=metrics', '--data-binary', 'visits,page=home count=1i')}

Query as Marketing:

${line('/query', '--get', '--data-urlencode', 'db=metrics', '--data-urlencode', 'q=SELECT * FROM visits')}

Look around:

export KUBECONFIG=${cluster.kubeconfig} PATH=${dirname(cluster.kubectl)}:$PATH
kubectl get holdfast --all-namespaces

make down takes all of it away again.`)
})
