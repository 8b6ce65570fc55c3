import { systemClock } from '../../../common/clock.ts'
import { canonicalJson, stateDigest } from '../../../common/state-document.ts'
import { reasons, type ConditionType } from '../../../operator/api/conditions.ts'
import type { KubeObject } from '../../../operator/kube/object.ts'
import { pathOf } from '../../../operator/kube/resource.ts'
import type { Answer } from '../api-server.ts'
import { condition, statusOf } from '../operator-bench.ts'
import { eventually, soonMs } from '../operator-harness.ts'
import type { Edit } from './edits.ts'
import { goodSpecs } from './good-specs.ts'
import { objectOf, resourceOfKind, unsettled, victimOf, type Lane } from './lane.ts'

/** What the API server says to an edit that is not meant. */
export interface Answered {
  readonly edit: Edit
  /** By a change of an object that is there, or where that is refused for good, by a new one. */
  readonly by: 'change' | 'creation'
  /** null where it is accepted. */
  readonly refusal: string | null
  /** It is stored as what was there. */
  readonly isSame: boolean
}

/** What became of an edit that was meant. */
export interface Outcome {
  readonly answered: Answered
  /** `reconciled`, or how it stands and why: `stalled ClassNotFound`. */
  readonly end: string
  /** What is not as it should be. */
  readonly faults: readonly string[]
}

const strictly = 'fieldValidation=Strict'
/** On the way for so long for one reason, it waits for something. */
const patienceMs = 4_000
const settleLimitMs = 60_000
const pollMs = 100
const conflictLimit = 20

/** Asks the API server what it would say, and changes nothing. */
export async function ask(lane: Lane, edit: Edit): Promise<Answered> {
  const { server } = lane.bench
  const name = victimOf[edit.kind]
  const resource = resourceOfKind[edit.kind]
  const changed = await put(lane, edit, `${strictly}&dryRun=All`)
  if (changed.status < 300) {
    const live = await lane.known(edit.kind, name)
    const isSame = canonicalJson(changed.body['spec'] ?? {}) === canonicalJson(live['spec'] ?? {})
    return { edit, by: 'change', refusal: null, isSame }
  }
  const refusal = changed.body.message ?? `status ${changed.status}`
  const path = pathOf(resource, { namespace: lane.namespace })
  const body = objectOf(edit.kind, lane.namespace, 'made', edit.spec)
  const made = await server.send('POST', `${path}?${strictly}&dryRun=All`, { body })
  const isAccepted = made.status < 300
  return { edit, by: isAccepted ? 'creation' : 'change', refusal: isAccepted ? null : refusal, isSame: false }
}

/** Replaces the spec of what is there, whole. */
async function put(lane: Lane, { kind, spec }: Pick<Edit, 'kind' | 'spec'>, query: string): Promise<Answer> {
  const { server } = lane.bench
  const ref = { namespace: lane.namespace, name: victimOf[kind] }
  for (let tries = 1; ; tries += 1) {
    const { spec: _before, ...live } = await lane.known(kind, ref.name)
    const body = { ...live, ...(spec !== undefined && { spec }) }
    const answer = await server.send('PUT', `${pathOf(resourceOfKind[kind], ref)}?${query}`, { body })
    // The operator has written a status in between.
    if (answer.status !== 409 || tries === conflictLimit) return answer
    lane.forget(kind)
  }
}

const explains =
  /should|must|may not|cannot|expected|supported values|required|too (long|many|few)|unknown field|in body|duplicate|each|excludes|other than|is a range/i
const confesses = /evaluating rule|rule error|no such key|no such overload|internal error|panic|cost/i

/** What is wrong with the words of a refusal, null for nothing: they name the field, and say what is accepted. */
export function badRefusal({ edit, refusal }: Answered): string | null {
  if (refusal === null) return null
  const words = refusal.replaceAll(/\[\d+\]/g, '[]')
  const key = edit.field.split(/[.[{]/).findLast((part) => /^[a-zA-Z]+$/.test(part)) ?? ''
  if (confesses.test(words)) return `the rule fails: ${refusal.slice(0, 400)}`
  // A rule of a list names the list, whatever its elements have.
  const [list = ''] = edit.field.split('[')
  const isNamed = words.includes(key) || (list !== edit.field && words.includes(list))
  if (!isNamed) return `the field is not named: ${refusal.slice(0, 400)}`
  return explains.test(words) ? null : `what is accepted is not said: ${refusal.slice(0, 400)}`
}

/** Makes an edit, looks at what becomes of it and of everybody else, and goes back. */
export async function tryOut(lane: Lane, answered: Answered): Promise<Outcome> {
  const { edit } = answered
  const faults: string[] = []
  let end = 'nothing'
  try {
    const name = await make(lane, answered)
    end = await endOf(lane, edit, name, faults)
    if (leavesOthers(answered, end)) {
      await eventually('the others of the organization have what they had', soonMs, async () => {
        const robbed = await lane.robbed()
        if (robbed !== null) throw new Error(robbed)
        return true
      })
    }
  } catch (error) {
    faults.push(`edit: ${textOf(error)}`)
  }
  try {
    await goBack(lane, answered)
  } catch (error) {
    faults.push(`way back: ${textOf(error)}`)
  }
  return { answered, end, faults }
}

/** Fields of an Organization by which it takes something from its members when they are in force. */
const meantForOthers = /^spec\.(hibernation|limits|limits\.databases)$/

/** Pods that are being replaced serve nobody; all else takes nothing from those who are not named. */
function leavesOthers({ edit, by }: Answered, end: string): boolean {
  if (edit.kind !== 'Organization' || by === 'creation') return true
  return end.startsWith('stalled') || (end === 'reconciled' && !meantForOthers.test(edit.field))
}

async function make(lane: Lane, { edit, by }: Answered): Promise<string> {
  const name = by === 'change' ? victimOf[edit.kind] : 'made'
  const path = pathOf(resourceOfKind[edit.kind], { namespace: lane.namespace })
  const answer =
    by === 'change'
      ? await put(lane, edit, strictly)
      : await lane.bench.server.send('POST', `${path}?${strictly}`, {
          body: objectOf(edit.kind, lane.namespace, name, edit.spec),
        })
  if (answer.status >= 300) throw new Error(answer.body.message)
  return name
}

/** Waits until an object stands still: ready, stalled, or on its way for one reason. */
async function endOf(lane: Lane, edit: Edit, name: string, faults: string[]): Promise<string> {
  let since = { reason: '', atMs: performance.now() }
  const object = await eventually(`${edit.kind} ${name} stands still`, settleLimitMs, async () => {
    const found = await lane.get(edit.kind, name)
    const reason = isSeen(found) ? (condition(found, 'Reconciling')?.reason ?? '') : ''
    if (reason !== since.reason) since = { reason, atMs: performance.now() }
    const isStill =
      reason !== '' &&
      (condition(found, 'Reconciling')?.status === 'False' || performance.now() - since.atMs > patienceMs)
    if (!isStill) throw new Error(JSON.stringify(found?.['status'] ?? null))
    return found
  })
  faults.push(...badConditions(object))
  const isStalled = condition(object, 'Stalled')?.status === 'True'
  if (!isStalled && unsettled(object) !== null)
    return `waits ${condition(object, 'Reconciling')?.reason ?? 'for nothing'}`
  if (isStalled) return `stalled ${condition(object, 'Stalled')?.reason ?? ''}`
  const lost = notInForce(lane, edit, object)
  if (lost !== null) faults.push(lost)
  return 'reconciled'
}

const isSeen = (object: KubeObject | null): boolean =>
  statusOf(object).observedGeneration === object?.metadata.generation

/** What in the conditions is not kstatus, or no reason of the catalogue. */
function badConditions(object: KubeObject): readonly string[] {
  const conditions = statusOf(object).conditions ?? []
  const bad = conditions.filter(({ type, reason }) => {
    const entry = (reasons as Readonly<Record<string, { readonly of: readonly ConditionType[] }>>)[reason]
    return !entry?.of.includes(type as ConditionType)
  })
  const unknown = bad.map(({ type, reason }) => `${type} has the reason ${reason}, which is not documented`)
  const stands = (type: string) => condition(object, type)
  const isBoth = stands('Reconciling')?.status === 'True' && stands('Stalled')?.status === 'True'
  const isNeither = ['Reconciling', 'Stalled'].every((type) => stands(type)?.status === 'False')
  return [
    ...unknown,
    ...(isBoth ? ['Reconciling and Stalled are True at once'] : []),
    ...(isNeither && stands('Ready')?.status !== 'True' ? ['not Ready, and nothing says why'] : []),
    ...(stands('Ready')?.status === 'False' && !stands('Ready')?.message
      ? ['not Ready, without a word']
      : []),
  ]
}

/** What an object that is ready has promised and its node does not have, null for nothing. */
function notInForce(lane: Lane, { kind }: Edit, object: KubeObject): string | null {
  if (condition(object, 'Ready')?.reason === 'Hibernated') return null
  const { document } = lane
  if (kind === 'Organization') {
    if (object.metadata.name === 'made') return null
    const digest = document && stateDigest(document)
    return digest === statusOf(object).stateDigest ? null : 'ready, and its node has another state document'
  }
  const { databaseName, tokens = [] } = statusOf(object) as ReturnType<typeof statusOf> & {
    readonly databaseName?: string
  }
  if (kind === 'Database')
    return document?.databases.some(({ name }) => name === databaseName) ? null : 'ready, and not on the node'
  const hashes = document?.tokens.map(({ hash }) => hash) ?? []
  return tokens.length > 0 && tokens.every(({ hash }) => hashes.includes(hash))
    ? null
    : 'ready, and no node accepts it'
}

/** Back to what was well: everything must be as it was. */
async function goBack(lane: Lane, { edit, by }: Answered): Promise<void> {
  const { bench, namespace } = lane
  if (by === 'creation') {
    const path = pathOf(resourceOfKind[edit.kind], { namespace, name: 'made' })
    await bench.server.send('DELETE', path)
    await bench.isGone(resourceOfKind[edit.kind], namespace, 'made')
  } else {
    const answer = await put(lane, { kind: edit.kind, spec: goodSpecs[edit.kind] }, strictly)
    if (answer.status >= 300) throw new Error(answer.body.message)
  }
  await lane.becomesWell()
  let now = ''
  for (const untilMs = performance.now() + settleLimitMs; performance.now() < untilMs;) {
    now = await lane.state()
    if (now === lane.well) return
    await systemClock.sleep(pollMs)
  }
  throw new Error(`not what it was: ${difference(lane.well, now)}`)
}

function difference(before: string, after: string): string {
  let at = 0
  while (before[at] === after[at]) at += 1
  const around = (text: string) => text.slice(Math.max(0, at - 80), at + 80)
  return `${around(before)} => ${around(after)}`
}

function textOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return `${error instanceof Error ? error.message : String(error)}${cause}`.slice(0, 1_500)
}
