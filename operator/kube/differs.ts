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

/**
 * The first path at which `live` does not hold what `desired` says, or null. What `desired` does not mention is not
 * compared: it belongs to others or is a default. Nothing, null, `{}` and `[]` are the same.
 */
export function differs(live: unknown, desired: unknown): string | null {
  return differsAt(live, desired, '')
}

function differsAt(live: unknown, desired: unknown, path: string): string | null {
  if (isEmpty(desired) && isEmpty(live)) return null
  if (isEmpty(desired)) return Array.isArray(desired) ? path : null
  if (Array.isArray(desired)) return Array.isArray(live) ? listDiffers(live, desired, path) : path
  if (isMap(desired)) return isMap(live) ? mapDiffers(live, desired, path) : path
  return sameValue(live, desired, path) ? null : path
}

function mapDiffers(live: Json, desired: Json, path: string): string | null {
  for (const [key, value] of Object.entries(desired)) {
    const found = differsAt(live[key], value, path === '' ? key : `${path}.${key}`)
    if (found !== null) return found
  }
  return null
}

function listDiffers(live: readonly unknown[], desired: readonly unknown[], path: string): string | null {
  if (setPath.test(path)) return desired.every((item) => live.includes(item)) ? null : path
  const keys = listKeys.find(([pattern]) => pattern.test(path))?.[1]
  if (keys) return keyedListDiffers(live, desired, keys, path)
  if (live.length !== desired.length) return path
  for (const [index, item] of desired.entries()) {
    const found = differsAt(live[index], item, `${path}[${index}]`)
    if (found !== null) return found
  }
  return null
}

function keyedListDiffers(
  live: readonly unknown[],
  desired: readonly unknown[],
  keys: readonly string[],
  path: string,
): string | null {
  const byKey = new Map(live.map((item) => [keyText(item, keys), item]))
  for (const item of desired) {
    const key = keyText(item, keys)
    const found = byKey.has(key) ? differsAt(byKey.get(key), item, `${path}[${key}]`) : `${path}[${key}]`
    if (found !== null) return found
  }
  return null
}

const keyText = (item: unknown, keys: readonly string[]): string =>
  keys.map((key) => String((isMap(item) ? item[key] : undefined) ?? keyDefaults[key] ?? '')).join('/')

function sameValue(live: unknown, desired: unknown, path: string): boolean {
  if (live === desired) return true
  const names = path.replaceAll(/\[[^\]]*\]/g, '').split('.')
  const [parent = '', name = ''] = names.slice(-2)
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
