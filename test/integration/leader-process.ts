import { systemClock } from '../../common/clock.ts'
import { createLogger } from '../../common/log.ts'
import { LeaderElection } from '../../operator/controller/leader-election.ts'
import { openKubeClient } from '../../operator/kube/http-client.ts'
import { resources } from '../../operator/kube/resource.ts'

/*
 * A process that writes as fast as it can while it is the leader: node leader-process.ts <namespace> <identity>.
 * It says `candidate` once it has seen the lease, `leading` once it is, and ends with status 3 when it has lost the
 * lease.
 */
const [namespace = '', identity = ''] = process.argv.slice(2)
const log = createLogger('leader', { level: 'warn' })
const client = openKubeClient({
  kubeconfig: process.env['KUBECONFIG']!,
  requestsPerSecond: 1_000,
  burst: 1_000,
})
const election = new LeaderElection({
  client,
  clock: systemClock,
  log,
  resource: resources.leases,
  namespace,
  leaseName: 'leader',
  identity,
  onLost: () => process.exit(3),
})
await election.start()
process.stdout.write('candidate\n')
await election.untilLeading()
const fenced = client.with({ fence: election.fence })
process.stdout.write('leading\n')
for (let count = 0; ; count += 1) {
  const data = { writer: identity, count: String(count) }
  await fenced
    .apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'journal', namespace }, data })
    .catch((error: unknown) => log.warn({ err: error }, 'not written'))
}
