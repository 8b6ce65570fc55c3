import { dataKeyBytes, dataKeysText, parseDataKeys } from '../../common/data-key.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import { identityData, tlsSecretType, type Identity } from '../authority/secrets.ts'
import { tokenSecretName, type Token } from '../api/token.ts'
import type { Platform } from '../api/platform.ts'
import type { KubeObject } from '../kube/object.ts'
import { annotationKeys, organizationLabels } from '../naming/labels.ts'
import { dataKeyField, lastGoodField, secretNames, setAsideField } from '../naming/names.ts'

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

/**
 * The file that the node reads holds the key as base64 text, so that it survives copying by hand.
 * @param dataKey 32 bytes, the key that wraps the keys of all of the organization's files
 */
export function dataKeySecret(organizationId: string, dataKey: Uint8Array, madeAt: Date): KubeObject {
  if (dataKey.length !== dataKeyBytes) throw new TypeError('dataKey: 32 bytes expected')
  const secret = runtimeSecret(organizationId, secretNames.dataKey, 'Opaque', {
    [dataKeyField]: base64(dataKeysText([dataKey])),
  })
  const annotations = { [annotationKeys.dataKeySince]: madeAt.toISOString() }
  return { ...secret, metadata: { ...secret.metadata, annotations } }
}

/** The content of a data key's Secret. */
export interface StoredDataKeys {
  /** The first is in force or about to be; the others may still be needed. */
  readonly keys: readonly Uint8Array[]
  /** When the first was made. */
  readonly since: Date
}

/** @throws AppError invalid, ERR_DATA_KEY_FILE */
export function storedDataKeys(secret: KubeObject): StoredDataKeys {
  const data = secret['data'] as Readonly<Record<string, string>> | undefined
  const { annotations, creationTimestamp } = secret.metadata
  const keys = parseDataKeys(Buffer.from(data?.[dataKeyField] ?? '', 'base64').toString('utf8'))
  return { keys, since: new Date(annotations?.[annotationKeys.dataKeySince] ?? creationTimestamp ?? 0) }
}

/** The same Secret, only to be written where it is still what was read. */
export function withDataKeys(secret: KubeObject, { keys, since }: StoredDataKeys): KubeObject {
  const annotations = {
    ...secret.metadata.annotations,
    [annotationKeys.dataKeySince]: since.toISOString(),
  }
  return {
    ...secret,
    metadata: { ...secret.metadata, annotations },
    data: { [dataKeyField]: base64(dataKeysText(keys)) },
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
