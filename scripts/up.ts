import { join } from 'node:path'
import { openCluster } from '../local-kubernetes/open-cluster.ts'
import { gatewayUrl, install } from './install.ts'
import { run, spanOf, type Progress } from './run.ts'

/** `make up`: a cluster, Holdfast on it, the two example tenants Ready, and lines to paste. */
const root = join(import.meta.dirname, '..')
const startedMs = performance.now()
const progress: Progress = (line) =>
  console.log(`[${spanOf(performance.now() - startedMs).padStart(11)}] ${line}`)

const cluster = await openCluster(process.env['CLUSTER'])
await cluster.up(progress)
await install(cluster, progress)

const kubectl = (...args: readonly string[]) =>
  run(cluster.kubectl, ['--kubeconfig', cluster.kubeconfig, ...args])
progress('tenants of examples/two-teams.yaml')
await kubectl('apply', '-f', join(root, 'examples/two-teams.yaml'))
for (const namespace of ['marketing', 'engineering']) {
  await kubectl(
    'wait',
    '--namespace',
    namespace,
    '--for=condition=Ready',
    'org,hdb,htok',
    '--all',
    '--timeout=3m',
  )
}

const command = `${cluster.kubectl} --kubeconfig ${cluster.kubeconfig}`
const secret = (key: string) =>
  `$(${command} -n marketing get secret marketing-api-token -o go-template='{{index .data "${key}" | base64decode}}')`
const authority = `<(echo "${secret('ca.crt')}")`
const curl = `curl --silent --show-error --fail-with-body --cacert ${authority} --header "Authorization: Token ${secret('token')}"`

console.log(`
${await kubectl('get', 'holdfast', '--all-namespaces')}
Ready in ${spanOf(performance.now() - startedMs)}. In this shell:

  export KUBECONFIG=${cluster.kubeconfig}

Write as Marketing:

  ${curl} '${gatewayUrl(cluster)}/api/v2/write?org=Marketing&bucket=metrics' --data-binary 'visits,page=home count=1i'

Query as Marketing:

  ${curl} --get '${gatewayUrl(cluster)}/query' --data-urlencode db=metrics --data-urlencode 'q=SELECT * FROM visits'
`)
