import { sameQuantity } from './quantity.ts'

type Json = Readonly<Record<string, unknown>>

/** Maps whose values are quantities: `resources.limits`, a quota's `hard`, a volume's `capacity`, a LimitRange's items. */
const quantityMaps = new Set([
  'limits',
  'requests',
  'hard',
  'capacity',
  'max',
  'min',
  'default',
  'defaultRequest',
  'maxLimitRequestRatio',
])

/**
 * Lists that server-side apply merges by key, so that others may have elements of their own in them, and in which the
 * API server fills in defaults. All other lists are compared whole. `ports` of a NetworkPolicy is such a whole list.
 */
const listKeys: ReadonlyArray<readonly [path: RegExp, keys: readonly string[]]> = [
  [/^metadata\.ownerReferences$/, ['uid']],
  [/(^|\.)conditions$/, ['type']],
  [/^spec\.ports$/, ['port', 'protocol']],
  [/ontainers\[[^\]]*\]\.ports$/, ['containerPort', 'protocol']],
  [/(^|\.)(containers|initContainers|ephemeralContainers|env|volumes|imagePullSecrets)$/, ['name']],
  [/ontainers\[[^\]]*\]\.volumeMounts$/, ['mountPath']],
  [/(^|\.)topologySpreadConstraints$/, ['topologyKey', 'whenUnsatisfiable']],
]

const keyDefaults: Json = { protocol: 'TCP' }

/** Lists that are sets to which others may add. */
const setPath = /^metadata\.finalizers$/

/** Fields that the API server leaves out of its answers when they hold their type's zero. */
const omittedWhenZero = new Set([
  'hostNetwork',
  'hostPID',
  'hostIPC',
  'readOnly',
  'stdin',
  'stdinOnce',
  'tty',
  'publishNotReadyAddresses',
  'value',
])

/** Where `{}` means something: all pods, an empty directory. */
const meaningfulWhenEmpty = new Set(['podSelector', 'namespaceSelector', 'emptyDir'])

/**
 * Where one more field changes the meaning of the rest, so that also what `desired` does not mention must not be
 * there: what a NetworkPolicy allows, whom a Service reaches. Only the API server's defaults are let pass.
 */
const exactPaths = /^(NetworkPolicy\.spec|Service\.spec\.selector|RoleBinding\.subjects)(\.|\[|$)/
const exactDefaults = new Set(['protocol', 'policyTypes', 'apiGroup'])

/**
 * The first path at which `live` does not hold what `desired` says, or null. What `desired` does not mention is not
 * compared: it belongs to others or is a default. Nothing, null, `{}` and `[]` are the same.
 */
export function differs(live: unknown, desired: unknown): string | null {
  const kind = isMap(desired) && typeof desired['kind'] === 'string' ? desired['kind'] : ''
  return differsAt(live, desired, { kind, path: '' })
}

interface Place {
  readonly kind: string
  readonly path: string
}

const below = ({ kind, path }: Place, part: string): Place => ({ kind, path: `${path}${part}` })

function differsAt(live: unknown, desired: unknown, at: Place): string | null {
  if (isEmpty(desired)) return emptyDiffers(live, desired, at)
  if (Array.isArray(desired)) return Array.isArray(live) ? listDiffers(live, desired, at) : at.path
  if (isMap(desired)) return isMap(live) ? mapDiffers(live, desired, at) : at.path
  return sameValue(live, desired, at.path) ? null : at.path
}

function emptyDiffers(live: unknown, desired: unknown, at: Place): string | null {
  const [name = ''] = namesOf(at.path).slice(-1)
  if (meaningfulWhenEmpty.has(name) && isMap(desired) !== isMap(live)) return at.path
  if (isEmpty(live)) return null
  return Array.isArray(desired) || isExact(at) ? at.path : null
}

function mapDiffers(live: Json, desired: Json, at: Place): string | null {
  const place = (key: string): Place => below(at, at.path === '' ? key : `.${key}`)
  for (const [key, value] of Object.entries(desired)) {
    const found = differsAt(live[key], value, place(key))
    if (found !== null) return found
  }
  if (!isExact(at)) return null
  const extra = Object.keys(live).find(
    (key) =>
      !(key in desired) && !exactDefaults.has(key) && (meaningfulWhenEmpty.has(key) || !isEmpty(live[key])),
  )
  return extra === undefined ? null : place(extra).path
}

const isExact = ({ kind, path }: Place): boolean => exactPaths.test(`${kind}.${path}`)

function listDiffers(live: readonly unknown[], desired: readonly unknown[], at: Place): string | null {
  const { path } = at
  if (setPath.test(path)) return desired.every((item) => live.includes(item)) ? null : path
  const keys = listKeys.find(([pattern]) => pattern.test(path))?.[1]
  if (keys) return keyedListDiffers(live, desired, keys, at)
  if (live.length !== desired.length) return path
  for (const [index, item] of desired.entries()) {
    const found = differsAt(live[index], item, below(at, `[${index}]`))
    if (found !== null) return found
  }
  return null
}

function keyedListDiffers(
  live: readonly unknown[],
  desired: readonly unknown[],
  keys: readonly string[],
  at: Place,
): string | null {
  const byKey = new Map(live.map((item) => [keyText(item, keys), item]))
  for (const item of desired) {
    const key = keyText(item, keys)
    const place = below(at, `[${key}]`)
    const found = byKey.has(key) ? differsAt(byKey.get(key), item, place) : place.path
    if (found !== null) return found
  }
  return null
}

/** Of scalars only, which is what keys are. */
function keyText(item: unknown, keys: readonly string[]): string {
  const values = keys.map((key) => (isMap(item) ? item[key] : undefined) ?? keyDefaults[key])
  return values.map((value) => (isScalar(value) ? String(value) : '')).join('/')
}

const namesOf = (path: string): readonly string[] => path.replaceAll(/\[[^\]]*\]/g, '').split('.')

function sameValue(live: unknown, desired: unknown, path: string): boolean {
  if (live === desired) return true
  const [parent = '', name = ''] = namesOf(path).slice(-2)
  if (live === undefined && omittedWhenZero.has(name)) return desired === false || desired === ''
  if (!quantityMaps.has(parent) && name !== 'sizeLimit') return false
  return isScalar(live) && isScalar(desired) && sameQuantity(live, desired)
}

const isScalar = (value: unknown): value is string | number =>
  typeof value === 'string' || typeof value === 'number'

const isMap = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true
  return Array.isArray(value) ? value.length === 0 : isMap(value) && Object.keys(value).length === 0
}
