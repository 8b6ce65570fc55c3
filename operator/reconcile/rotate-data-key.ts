import { randomBytes } from 'node:crypto'
import type { DataKeyState } from '../../common/admin-api.ts'
import { dataKeyBytes, dataKeyId, dataKeysLimit } from '../../common/data-key.ts'
import { durationMs } from '../../common/duration.ts'
import { AppError } from '../../common/errors.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import type { EncryptionStatus, Organization } from '../api/organization.ts'
import { storedDataKeys, withDataKeys, type StoredDataKeys } from '../desired/secrets.ts'
import { isPassing } from '../kube/errors.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { secretNames } from '../naming/names.ts'
import type { NodeAddress } from '../node-client/node-client.ts'
import type { PodReport, Runtime } from '../observe/runtime.ts'
import { stalled, type Standing } from '../status/standing.ts'
import type { Pass } from './pass.ts'
import { addressOf } from './push.ts'
import { eventTarget } from './write.ts'

/**
 * The change of an organization's data key, one step a pass, each with at most one write besides status:
 *
 *     idle -> Storing   it is due, says the Secret itself
 *     -> Adopting       the Secret holds the new key before the old one
 *     -> Dropping       every node seals by the new key and needs no other
 *     -> idle           the Secret holds the new key alone
 *
 * A step finds in the Secret and at the nodes how far the one before it came, so that it can be done again whenever a
 * process ends. No node can use a key that is not stored: it learns of keys from the mounted Secret alone.
 */
export interface DataKeyStand {
  /** null while nothing is known. */
  readonly encryption: EncryptionStatus | null
  /** When there is something to do again, null for never. */
  readonly lookAgainMs: number | null
  /** A storage node needs a key that somebody has taken out of the Secret; null where none does. */
  readonly lostKey: Standing | null
}

interface Scene {
  readonly pass: Pass
  readonly organization: Organization
  readonly organizationId: string
  readonly runtime: Runtime
  readonly reports: readonly PodReport[]
}

type Rotation = NonNullable<EncryptionStatus['rotation']>

/** The kubelet brings a changed Secret into a pod within a minute or two. */
const stepMs = 5_000
/** Nobody waits longer than this for a key without looking whether it is still stored. */
const lostMs = 600_000
const longestWaitMs = 86_400_000
const messageLimit = 4_096

/** @param organization in the form in force, with its newest status */
export async function rotateDataKey(scene: Scene): Promise<DataKeyStand> {
  const { organization, runtime, pass } = scene
  const known = organization.status?.encryption
  if (!runtime.statefulSet) return { encryption: null, lookAgainMs: null, lostKey: null }
  try {
    if (known && isOtherThanStored(scene, known)) return await lookIntoStored(scene, known)
    const dueMs = known ? dueInMs(scene, Date.parse(known.keySince)) : 0
    if (known && !known.rotation && dueMs > 0)
      return { encryption: known, lookAgainMs: Math.min(dueMs, longestWaitMs), lostKey: null }
    const encryption = await next(scene, known)
    return { encryption, lookAgainMs: isSameStep(encryption, known) ? stepMs : 0, lostKey: null }
  } catch (error) {
    // The change of a key can wait; statuses, and a leader that is none any more, cannot.
    if (!(error instanceof AppError) || pass.signal.aborted || error.code === 'ERR_KUBE_FENCED') throw error
    pass.log.info({ reason: error.message }, 'data key: step not taken')
    const isQuiet = !known || isPassing(error)
    const encryption = isQuiet ? (known ?? null) : waiting(known, error.message)
    return { encryption, lookAgainMs: stepMs, lostKey: null }
  }
}

async function next(scene: Scene, known: EncryptionStatus | undefined): Promise<EncryptionStatus> {
  if (!known) return settled((await readStored(scene)).stored)
  return known.rotation ? step(scene, known, known.rotation) : begin(scene, known)
}

/** Whether the Secret, when it was looked at last, held neither the key in force nor the one that is coming. */
function isOtherThanStored({ pass, organizationId }: Scene, { keyId, rotation }: EncryptionStatus): boolean {
  const stored = pass.memory.runtimeLook(organizationId)?.dataKeyIds ?? null
  return stored !== null && ![keyId, rotation?.keyId].some((id) => id !== undefined && stored.includes(id))
}

/**
 * Somebody has changed the Secret, or status is older than its content: the nodes know which. They serve with the keys
 * that they have, so nothing shows it before one of them is started again.
 */
async function lookIntoStored(scene: Scene, known: EncryptionStatus): Promise<DataKeyStand> {
  const { stored } = await readStored(scene)
  const lost = await firstLost(scene, stored)
  if (lost === null) return { encryption: settled(stored), lookAgainMs: 0, lostKey: null }
  const message = `${lost}: put it back, the data cannot be read without it`
  return { encryption: known, lookAgainMs: stepMs, lostKey: stalled('DataKeyMissing', message) }
}

/** @returns what the first node needs that is not stored, null if all is there */
async function firstLost(scene: Scene, { keys }: StoredDataKeys): Promise<string | null> {
  const there = keys.map(dataKeyId)
  for (const [pod, state] of await eachNode(scene, (node) => getDataKey(scene, node))) {
    const lost = [state.keyId, ...state.olderKeyIds].find((id) => !there.includes(id))
    if (lost !== undefined) return `${pod} needs data key ${lost}, which its Secret does not hold`
  }
  return null
}

function waiting(known: EncryptionStatus, message: string): EncryptionStatus {
  const { rotation } = known
  const said = message.slice(0, messageLimit)
  if (!rotation || rotation.message === said) return known
  return { ...known, rotation: { ...rotation, message: said } }
}

/** However often its message changes. */
const isSameStep = (next: EncryptionStatus, known: EncryptionStatus | undefined): boolean =>
  next.keyId === known?.keyId && next.rotation?.step === known.rotation?.step

/** A key that is made later than this from now was made by a clock that ran ahead. */
const aheadMs = 3_600_000

const isAhead = ({ pass }: Scene, sinceMs: number): boolean => sinceMs > pass.now.getTime() + aheadMs

/** Tenants that were made together do not change their keys together, but for who asks for it. */
function dueInMs(scene: Scene, sinceMs: number): number {
  // Nobody knows how old it is, and by that time it would not be due for longer than it may.
  if (isAhead(scene, sinceMs)) return 0
  const { pass, organization, organizationId } = scene
  const { rotateEvery, rotateKeysMadeBefore } = organization.spec.encryption
  const turn = Number.parseInt(organizationId.slice(0, 4), 16) / 0x1_00_00
  const regularMs = sinceMs + durationMs(rotateEvery) * (1 - turn / 10)
  const askedMs = rotateKeysMadeBefore === null ? Infinity : Date.parse(rotateKeysMadeBefore)
  return Math.min(regularMs, sinceMs < askedMs ? askedMs : Infinity) - pass.now.getTime()
}

async function begin(scene: Scene, known: EncryptionStatus): Promise<EncryptionStatus> {
  // A node that is damaged, silent or not up to date has other worries.
  if (!allWell(scene)) return known
  const { stored } = await readStored(scene)
  // Status is what some process wrote; the Secret says when its key was made.
  if (dueInMs(scene, stored.since.getTime()) > 0) return settled(stored)
  return {
    keyId: known.keyId,
    keySince: known.keySince,
    rotation: { step: 'Storing', startedAt: scene.pass.now.toISOString() },
  }
}

function step(scene: Scene, known: EncryptionStatus, rotation: Rotation): Promise<EncryptionStatus> {
  if (rotation.step === 'Storing' || rotation.keyId === undefined) return store(scene, known, rotation)
  if (rotation.step === 'Adopting') return adopt(scene, known, rotation, rotation.keyId)
  return drop(scene, known, rotation, rotation.keyId)
}

async function store(
  scene: Scene,
  known: EncryptionStatus,
  { startedAt }: Rotation,
): Promise<EncryptionStatus> {
  const { secret, stored } = await readStored(scene)
  const to = (key: Uint8Array): EncryptionStatus => ({
    ...known,
    rotation: { step: 'Adopting', keyId: dataKeyId(key), startedAt },
  })
  const [newest, older] = stored.keys
  // A process before this one has stored it, and one may have ended the change too.
  if (older) return to(newest!)
  const sinceMs = stored.since.getTime()
  if (sinceMs >= Date.parse(startedAt) && !isAhead(scene, sinceMs)) return settled(stored)
  if (!allWell(scene)) return waiting(known, 'waiting for every storage node to serve, undamaged')
  const lost = await firstLost(scene, stored)
  if (lost !== null) return waiting(known, lost)
  if (stored.keys.length >= dataKeysLimit)
    return waiting(known, `the Secret holds ${stored.keys.length} keys already`)
  const key = randomBytes(dataKeyBytes)
  // Never before its own change began, whatever the clocks of two operators say.
  const since = new Date(Math.max(scene.pass.now.getTime(), Date.parse(startedAt)))
  await write(scene, secret, { keys: [key, ...stored.keys], since })
  return to(key)
}

async function adopt(
  scene: Scene,
  known: EncryptionStatus,
  rotation: Rotation,
  keyId: string,
): Promise<EncryptionStatus> {
  const { pass } = scene
  if (pass.now.getTime() - Date.parse(rotation.startedAt) > lostMs && !(await isStored(scene, keyId))) {
    const startedAt = pass.now.toISOString()
    return { ...known, rotation: { step: 'Storing', startedAt, message: `data key ${keyId} was taken away` } }
  }
  const behind = await firstBehind(scene, keyId, (node) => pass.nodes.useDataKey(node, pass.signal))
  if (behind !== null) return waiting(known, behind)
  return { ...known, rotation: { step: 'Dropping', keyId, startedAt: rotation.startedAt } }
}

async function drop(
  scene: Scene,
  known: EncryptionStatus,
  rotation: Rotation,
  keyId: string,
): Promise<EncryptionStatus> {
  const { secret, stored } = await readStored(scene)
  const adopting = { step: 'Adopting' as const, keyId, startedAt: rotation.startedAt }
  if (dataKeyId(stored.keys[0]!) !== keyId) return { ...known, rotation: adopting }
  // The old key is lost for good with this: what the nodes said a pass ago is not enough.
  const behind = await firstBehind(scene, keyId, (node) => getDataKey(scene, node))
  if (behind !== null) return { ...known, rotation: { ...adopting, message: behind } }
  const left = { keys: stored.keys.slice(0, 1), since: stored.since }
  if (stored.keys.length > 1) await write(scene, secret, left)
  const target = eventTarget(scene.organization)
  scene.pass.events.record(target, 'Normal', 'DataKeyRotated', `data key ${keyId} is in force, alone`)
  scene.pass.log.info({ organizationId: scene.organizationId, keyId }, 'data key rotated')
  return settled(left)
}

/** What status says of a key when nothing but the Secret is known. */
function settled({ keys, since }: StoredDataKeys): EncryptionStatus {
  const [key, older] = keys
  const encryption = { keyId: dataKeyId(older ?? key!), keySince: since.toISOString() }
  if (!older) return encryption
  const rotation = { step: 'Adopting' as const, keyId: dataKeyId(key!), startedAt: encryption.keySince }
  return { ...encryption, rotation }
}

/** @returns what the first node that does not use the key alone waits for, null if all do */
async function firstBehind(
  scene: Scene,
  keyId: string,
  ask: (node: NodeAddress) => Promise<DataKeyState>,
): Promise<string | null> {
  for (const [pod, state] of await eachNode(scene, ask)) {
    if (state.keyId !== keyId) return `${pod} does not see the new key in its Secret yet`
    if (state.olderKeyIds.length > 0) return `${pod} still needs data key ${state.olderKeyIds.join(', ')}`
  }
  return null
}

/** @throws AppError unavailable, ERR_NODE_UNREACHABLE, unless every storage node that there should be answers */
async function eachNode(
  { organizationId, runtime, reports }: Scene,
  ask: (node: NodeAddress) => Promise<DataKeyState>,
): Promise<readonly (readonly [pod: string, state: DataKeyState])[]> {
  const pods = reports.filter(({ result }) => result === 'confirmed').map(({ pod }) => pod)
  const running = runtime.pods.filter((pod) => pod.running)
  if (pods.length < Math.max(1, runtime.statefulSet?.replicas ?? 0, running.length)) {
    throw new AppError('unavailable', 'ERR_NODE_UNREACHABLE', 'waiting for every storage node to run')
  }
  return Promise.all(pods.map(async (pod) => [pod.name, await ask(addressOf(organizationId, pod))] as const))
}

const getDataKey = ({ pass }: Scene, node: NodeAddress) => pass.nodes.getDataKey(node, pass.signal)

function allWell({ runtime, reports }: Scene): boolean {
  const well = reports.filter(({ result, damage }) => result === 'confirmed' && damage?.length === 0)
  return (
    well.length > 0 && well.length === reports.length && well.length >= (runtime.statefulSet?.replicas ?? 0)
  )
}

async function isStored(scene: Scene, keyId: string): Promise<boolean> {
  const { stored } = await readStored(scene)
  return dataKeyId(stored.keys[0]!) === keyId
}

async function readStored({
  pass,
  organizationId,
}: Scene): Promise<{ readonly secret: KubeObject; readonly stored: StoredDataKeys }> {
  const namespace = runtimeNamespace(organizationId)
  const secret = await pass.client.get(resources.secrets, { namespace, name: secretNames.dataKey })
  if (!secret)
    throw new AppError('corrupt', 'ERR_DATA_KEY_FILE', `Secret ${namespace}/data-key is gone: restore it`)
  const stored = storedDataKeys(secret)
  pass.memory.sawDataKeys(organizationId, stored.keys.map(dataKeyId))
  return { secret, stored }
}

async function write(
  { pass, organizationId }: Scene,
  secret: KubeObject,
  keys: StoredDataKeys,
): Promise<void> {
  await pass.client.replace(withDataKeys(secret, keys))
  pass.memory.sawDataKeys(organizationId, keys.keys.map(dataKeyId))
}
