import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApiServer } from '../../integration/api-server.ts'
import { startControlPlane } from '../../integration/control-plane.ts'
import { OperatorHarness } from '../../integration/operator-harness.ts'
import { imageForm, type Form } from '../../support/image-form.ts'
import { MemoryGroup } from '../../support/memory-group.ts'
import { AuditLog } from './audit.ts'
import { Observer } from './observer.ts'
import { startPods } from './pods-player.ts'
import { create, type Created, type Size, type Stage } from './story.ts'
import { crashing, editOnes, restart, wait, type Edited, type Restarted, type Waited } from './trials.ts'

/** What one size came to. */
export interface Outcome {
  readonly size: Size
  /** null where the machine has no groups that would hold it to a limit. */
  readonly memoryLimitBytes: number | null
  readonly created: Created
  /** null where only the creation was of interest. */
  readonly trials: Trials | null
}

export interface Trials {
  readonly idle: Waited
  readonly edited: Edited
  readonly restarted: Restarted
  readonly editedMeanwhile: Restarted
  readonly crashed: {
    readonly crashed: number
    readonly waited: Waited
    readonly latenciesMs: readonly number[]
  }
}

const idleSeconds = 60
const edits = 100
/** As the chart has it. */
const memoryLimitBytes = 256 * 1024 * 1024

/**
 * There is an address for each organization; etcd syncs as it does in a cluster; who plays the pods looks after the claims and
 * the node.
 */
const more = {
  etcd: ['--unsafe-no-fsync=false'],
  'kube-apiserver': ['--service-cluster-ip-range=10.96.0.0/12'],
  'kube-controller-manager': [
    '--controllers=*,-persistentvolume-binder-controller,-node-lifecycle-controller',
  ],
}

/** With its usual 20 requests a second the controller manager would be what is measured of how soon pods are ready. */
const fastController = ['--kube-api-qps=300', '--kube-api-burst=600', '--concurrent-statefulset-syncs=20']

/**
 * Plays one size on a control plane of its own, which is empty at the beginning.
 * @param isWhole whether all is to become Ready and be tried then, or only the creation up to the StatefulSets is of interest
 */
export async function playCase(size: Size, isWhole: boolean, say: (line: string) => void): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-operator-'))
  const ends: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })]
  try {
    const audit = await AuditLog.create(folder)
    const plane = await startControlPlane({
      ...more,
      'kube-apiserver': [...more['kube-apiserver'], ...audit.arguments],
      'kube-controller-manager': [...more['kube-controller-manager'], ...(isWhole ? fastController : [])],
    })
    ends.push(() => plane.stop())
    const server = await ApiServer.open(plane.kubeconfig)
    ends.push(() => server.close())
    const { form, group } = await limitedForm(join(folder, 'program'))
    ends.push(async () => group?.remove())
    const operator = await OperatorHarness.open(server, plane.kubeconfig, { form })
    ends.push(() => operator.close())
    await operator.start()
    const pods = await startPods(plane.kubeconfig, operator.installationId)
    ends.push(() => pods.close())
    const observer = await Observer.open(plane.kubeconfig)
    ends.push(() => observer.close())
    const stage: Stage = { server, operator, audit, pods, observer, size, say }
    const created = await create(stage, isWhole)
    const trials = isWhole ? await tryAll(stage, created) : null
    return { size, memoryLimitBytes: group && memoryLimitBytes, created, trials }
  } finally {
    for (const end of ends.toReversed()) await end()
  }
}

/** The operator as its image holds it, with the chart's limit of memory where this machine can set one. */
async function limitedForm(
  folder: string,
): Promise<{ readonly form: Form; readonly group: MemoryGroup | null }> {
  const form = await imageForm('operator', folder)
  const group = await MemoryGroup.create('holdfast-bench-operator', memoryLimitBytes)
  if (typeof group === 'string') return { form, group: null }
  return { form: { ...form, command: group.within(form.command) }, group }
}

async function tryAll(stage: Stage, created: Created): Promise<Trials> {
  const { say } = stage
  const idle = await wait(stage, idleSeconds)
  say(`${idle.requests.writes} writes in ${idleSeconds} idle seconds`)
  const edited = await editOnes(stage, created, edits)
  say(`${edited.requests.writes} writes for ${edits} edits`)
  const restarted = await restart(stage, created, false)
  const editedMeanwhile = await restart(stage, created, true)
  const crashed = await crashing(stage, created, edits)
  return { idle, edited, restarted, editedMeanwhile, crashed }
}
