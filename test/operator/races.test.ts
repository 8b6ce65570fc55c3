import { beforeAll, describe, expect, test } from 'vitest'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resourceOf } from '../../operator/kube/resource.ts'
import type { Cluster } from './cluster.ts'
import { foreignMark } from './end-state.ts'
import type { Call, Race } from './faulty-client.ts'
import { excess, play, playQuietly } from './play.ts'
import { pointsAt, pointTable } from './points.ts'
import { scenarioNames, scenarios, type Scenario } from './scenarios.ts'

// Promise: whoever writes to an object, or deletes it, just before the operator writes to it, or before the operator has its
// answer, keeps it from nothing: it ends where it ends without them, and creates, deletes and says nothing more often.

let all: readonly Scenario[]
beforeAll(async () => {
  all = await scenarios()
})

const check = pointTable('Somebody else writes just before or after the operator')

/** What the request is about, as it is in the cluster now. */
function objectOf(cluster: Cluster, { what }: Call): KubeObject | undefined {
  return [...cluster.kube.world.objects.values()].find((object) => {
    const { namespace = '', name } = object.metadata
    return `${resourceOf(object).plural} ${namespace}/${name}` === what
  })
}

/** @returns whether there was anything to do it to */
async function mark(cluster: Cluster, call: Call): Promise<boolean> {
  const live = objectOf(cluster, call)
  if (!live || live.metadata.deletionTimestamp !== undefined) return false
  const labels = { ...live.metadata.labels, [foreignMark]: call.what.replaceAll(/[^a-z0-9]/g, '-') }
  await cluster.kube.replace({ ...live, metadata: { ...live.metadata, labels } })
  return true
}

/** Without those that hold data, or stand for all of it. */
const disposable: ReadonlySet<string> = new Set([
  'networkpolicies',
  'resourcequotas',
  'limitranges',
  'serviceaccounts',
  'services',
  'rolebindings',
  'poddisruptionbudgets',
])

async function remove(cluster: Cluster, call: Call): Promise<boolean> {
  const live = objectOf(cluster, call)
  if (!live || live.metadata.deletionTimestamp !== undefined) return false
  await cluster.kube.delete(live)
  return true
}

/** What it keeps closed or bounded, or gives, it does not any more. */
async function undo(cluster: Cluster, call: Call): Promise<boolean> {
  const live = objectOf(cluster, call)
  if (!live || live.metadata.deletionTimestamp !== undefined) return false
  const fields =
    live.kind === 'RoleBinding'
      ? { subjects: [] }
      : live.kind === 'ServiceAccount'
        ? { automountServiceAccountToken: true }
        : { spec: {} }
  await cluster.kube.replace({ ...live, ...fields })
  return true
}

interface Kind {
  readonly what: string
  readonly when: Race['when']
  readonly isHit: (call: Call) => boolean
  readonly act: (cluster: Cluster, call: Call) => Promise<boolean>
}

const isWrite = ({ isWrite: is, verb }: Call): boolean => is && verb !== 'node'
const isDisposable = (call: Call): boolean => isWrite(call) && disposable.has(call.what.split(' ')[0]!)
const isApply = (call: Call): boolean => call.verb === 'apply' && isDisposable(call)
const races: readonly Kind[] = [
  { what: 'label before', when: 'before', isHit: isWrite, act: mark },
  { what: 'label after', when: 'after', isHit: isWrite, act: mark },
  { what: 'deletion before', when: 'before', isHit: isDisposable, act: remove },
  { what: 'deletion after', when: 'after', isHit: isApply, act: remove },
  { what: 'edit after', when: 'after', isHit: isApply, act: undo },
]

describe.each(races)('$what', ({ what, when, isHit, act }) => {
  test.for(scenarioNames)('%s', async (name) => {
    const scenario = all.find((found) => found.name === name)!
    const reference = await playQuietly(scenario)
    const points = pointsAt(reference.calls, isHit, async (call, at) => {
      let isIdle = true
      const race = async (cluster: Cluster): Promise<void> => {
        isIdle = !(await act(cluster, call))
      }
      const outcome = await play(scenario, reference, {
        at: (asked, index) => (index === at && isHit(asked) ? { when, act: race } : null),
      })
      const made = `create ${call.what}`
      const again = act === remove ? 1 : 0
      const effects = new Map(reference.effects).set(made, (reference.effects.get(made) ?? 0) + again)
      // That a right of the operator's own is gone is said once.
      const statuses = call.what.startsWith('rolebindings ') ? again : 0
      return { outcome, over: excess(outcome, { ...reference, effects }, statuses), isIdle }
    })
    expect(await check(`${what}, ${name}`, points)).toEqual([])
  })
})
