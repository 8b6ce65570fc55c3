import { dataKeyBytes, dataKeyId, dataKeysText, parseDataKeys } from '../../common/data-key.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import { identityData, tlsSecretType, type Identity } from '../authority/secrets.ts'
import { tokenSecretName, type Token } from '../api/token.ts'
import type { Platform } from '../api/platform.ts'
import type { KubeObject } from '../kube/object.ts'
import { annotationKeys, organizationLabels } from '../naming/labels.ts'
import { dataKeyField, dataKeySaltField, lastGoodField, secretNames, setAsideField } from '../naming/names.ts'

/** Builders of Secrets, given their content. Values are base64, as the API server stores them. */
const base64 = (value: string | Uint8Array): string => Buffer.from(value).toString('base64')

/** The storage nodes' TLS identity. */
export function storageNodeTlsSecret(organizationId: string, identity: Identity): KubeObject {
  const data = Object.entries(identityData(identity)).map(([key, text]) => [key, base64(text)])
  return runtimeSecret(
    organizationId,
    secretNames.storageNodeTls,
    tlsSecretType,
    Object.fromEntries(data) as Record<string, string>,
  )
}

/** The file that the node reads holds keys as base64 text, so that it survives copying by hand. */
export function dataKeySecret(organizationId: string, stored: StoredDataKeys): KubeObject {
  if (stored.keys.some(({ length }) => length !== dataKeyBytes))
    throw new TypeError('dataKey: 32 bytes expected')
  return withDataKeys(runtimeSecret(organizationId, secretNames.dataKey, 'Opaque', {}), stored)
}

/** The content of a data key's Secret. */
export interface StoredDataKeys {
  /** The first is in force or about to be; the others may still be needed. */
  readonly keys: readonly Uint8Array[]
  /** When the first was made. */
  readonly since: Date
  /** Of those that are derived from a key that the customer holds; null where there is none. */
  readonly customer: CustomerKeys | null
}

export interface CustomerKeys {
  readonly salt: Uint8Array
  readonly keyIds: readonly string[]
}

/** @returns null where there is no such entry */
export function bytesIn(secret: KubeObject, entry: string): Buffer | null {
  const data = secret['data'] as Readonly<Record<string, string>> | null | undefined
  const value = data && Object.hasOwn(data, entry) ? data[entry] : undefined
  return value === undefined ? null : Buffer.from(value, 'base64')
}

export function customerKeysOf(secret: KubeObject): CustomerKeys | null {
  const keyIds = secret.metadata.annotations?.[annotationKeys.customerKeys]
  const salt = bytesIn(secret, dataKeySaltField)
  return keyIds === undefined || !salt ? null : { salt, keyIds: keyIds.split(',') }
}

export const customerAnnotation = ({ keyIds }: CustomerKeys): Readonly<Record<string, string>> => ({
  [annotationKeys.customerKeys]: keyIds.join(','),
})

/** @throws AppError invalid, ERR_DATA_KEY_FILE */
export function storedDataKeys(secret: KubeObject): StoredDataKeys {
  const { annotations, creationTimestamp } = secret.metadata
  const keys = parseDataKeys(bytesIn(secret, dataKeyField)?.toString('utf8') ?? '')
  const since = new Date(annotations?.[annotationKeys.dataKeySince] ?? creationTimestamp ?? 0)
  return { keys, since, customer: customerKeysOf(secret) }
}

/**
 * The same Secret, only to be written where it is still what was read. The salt goes with the last key that was derived
 * with it.
 */
export function withDataKeys(secret: KubeObject, { keys, since, customer }: StoredDataKeys): KubeObject {
  const {
    [annotationKeys.keyRevoked]: _revoked,
    [annotationKeys.customerKeys]: _keys,
    ...others
  } = secret.metadata.annotations ?? {}
  const there = keys.map(dataKeyId)
  const keyIds = customer?.keyIds.filter((id) => there.includes(id)) ?? []
  const kept = customer && keyIds.length > 0 ? { ...customer, keyIds } : null
  const annotations = {
    ...others,
    [annotationKeys.dataKeySince]: since.toISOString(),
    ...(kept && customerAnnotation(kept)),
  }
  return {
    ...secret,
    metadata: { ...secret.metadata, annotations },
    data: {
      [dataKeyField]: base64(dataKeysText(keys)),
      ...(kept && { [dataKeySaltField]: base64(kept.salt) }),
    },
  }
}

/** @param packed the specs that could be acted on last, as reconcile/last-good.ts packs them */
export function lastGoodSecret(organizationId: string, packed: Uint8Array): KubeObject {
  return runtimeSecret(organizationId, secretNames.lastGood, 'Opaque', { [lastGoodField]: base64(packed) })
}

/** @param text what of the StatefulSet must outlive it, as reconcile/set-aside.ts writes it */
export function setAsideSecret(organizationId: string, text: string): KubeObject {
  return runtimeSecret(organizationId, secretNames.setAside, 'Opaque', { [setAsideField]: base64(text) })
}

function runtimeSecret(
  organizationId: string,
  name: string,
  type: string,
  data: Readonly<Record<string, string>>,
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace: runtimeNamespace(organizationId),
      labels: organizationLabels(organizationId),
    },
    type,
    data,
  }
}

export const tokenSecretType = 'servicebinding.io/influxdb'

export interface TokenSecretInput {
  readonly token: Token
  readonly tokenString: string
  readonly organizationId: string
  /** Name of the organization, as clients pass it in `org`. */
  readonly organizationName: string
  readonly platform: Platform
}

/**
 * The Secret that a Token yields: the shape of the Service Binding specification, and the names that InfluxDB clients
 * read from their environment, so that `envFrom` is all that a workload needs. Its Token owns it.
 */
export function tokenSecret(input: TokenSecretInput): KubeObject {
  const { token, organizationId } = input
  const name = tokenSecretName(token)
  if (name === null) throw new TypeError('token: one whose string is minted elsewhere has no Secret')
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace: token.metadata.namespace,
      labels: organizationLabels(organizationId),
      ownerReferences: [
        {
          apiVersion: token.apiVersion,
          kind: token.kind,
          name: token.metadata.name,
          uid: token.metadata.uid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    type: tokenSecretType,
    data: Object.fromEntries(
      Object.entries(tokenSecretContent(input)).map(([key, value]) => [key, base64(value)]),
    ),
  }
}

/** The values of a Token's Secret in clear. */
export function tokenSecretContent(input: TokenSecretInput): Readonly<Record<string, string>> {
  const { token, tokenString, organizationId, organizationName, platform } = input
  const { url, host, port, caCertificate } = platform.gateway
  const database = onlyDatabase(token)
  return {
    type: 'influxdb',
    provider: 'holdfast',
    uri: url,
    host,
    port: String(port),
    token: tokenString,
    org: organizationName,
    'org-id': organizationId,
    ...(database !== null && { database }),
    ...(caCertificate !== undefined && { 'ca.crt': caCertificate }),
    INFLUX_HOST: url,
    INFLUX_TOKEN: tokenString,
    INFLUX_ORG: organizationName,
    INFLUXDB_V2_URL: url,
    INFLUXDB_V2_TOKEN: tokenString,
    INFLUXDB_V2_ORG: organizationName,
  }
}

/** The database that the token speaks of, if it is exactly one. */
function onlyDatabase({ spec }: Token): string | null {
  const names = new Set(spec.permissions.flatMap(({ database }) => (database === null ? [] : [database])))
  const [name] = names
  return names.size === 1 && name !== undefined && name !== '*' ? name : null
}
