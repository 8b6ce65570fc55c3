import { adminPort, clientPort } from '../../common/admin-api.ts'
import { storageNodeSelector } from '../naming/labels.ts'
import { dataKeyField, secretNames, storageNode, volumeClaim } from '../naming/names.ts'
import { classOf, type DesiredInput } from './input.ts'
import { resourcesPart } from './limit-range.ts'

type Part = Readonly<Record<string, unknown>>

const paths = {
  data: '/data',
  tls: '/etc/holdfast/tls',
  key: '/etc/holdfast/key',
} as const

/** The user and group of every Holdfast image. */
const userId = 65_532

/** A storage node's pod: no rights on the machine, on the cluster or on its own image. */
export function podSpec(input: DesiredInput, image: string): Part {
  const { nodeSelector, tolerations, priorityClassName } = classOf(input)
  return {
    serviceAccountName: 'default',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    terminationGracePeriodSeconds: 60,
    ...(Object.keys(nodeSelector).length > 0 && { nodeSelector }),
    ...(tolerations.length > 0 && { tolerations }),
    ...(priorityClassName !== null && { priorityClassName }),
    ...spread(input),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: userId,
      runAsGroup: userId,
      fsGroup: userId,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [container(input, image)],
    volumes: [
      secretVolume('tls', secretNames.storageNodeTls),
      secretVolume('key', secretNames.dataKey, [{ key: dataKeyField, path: dataKeyField }]),
    ],
  }
}

function container(input: DesiredInput, image: string): Part {
  const { requests, limits } = classOf(input).resources
  return {
    name: storageNode,
    image,
    imagePullPolicy: input.platform.storageNode.imagePullPolicy,
    args: ['/app/storage-node.js'],
    env: environment(input),
    ports: [
      { name: 'clients', containerPort: clientPort, protocol: 'TCP' },
      { name: 'admin', containerPort: adminPort, protocol: 'TCP' },
    ],
    resources: { ...resourcesPart('limits', limits), ...resourcesPart('requests', requests) },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
    },
    // Replaying a long log at the start takes its time; a node that serves is asked often whether it still may.
    startupProbe: probe('/health', { periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 900 }),
    livenessProbe: probe('/health', { periodSeconds: 10, timeoutSeconds: 10, failureThreshold: 6 }),
    readinessProbe: probe('/ready', { periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 2 }),
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'FallbackToLogsOnError',
    volumeMounts: [
      { name: volumeClaim, mountPath: paths.data },
      { name: 'tls', mountPath: paths.tls, readOnly: true },
      { name: 'key', mountPath: paths.key, readOnly: true },
    ],
  }
}

function environment({ organizationId, platform }: DesiredInput): readonly Part[] {
  const values = {
    HOLDFAST_ORGANIZATION_ID: organizationId,
    HOLDFAST_INSTALLATION_ID: platform.installationId,
    HOLDFAST_DATA_DIR: paths.data,
    HOLDFAST_TLS_DIR: paths.tls,
    HOLDFAST_DATA_KEY_FILE: `${paths.key}/${dataKeyField}`,
    HOLDFAST_LISTEN: `0.0.0.0:${clientPort}`,
    HOLDFAST_ADMIN_LISTEN: `0.0.0.0:${adminPort}`,
  }
  return [
    ...Object.entries(values).map(([name, value]) => ({ name, value })),
    {
      name: 'HOLDFAST_MEMORY_LIMIT_BYTES',
      valueFrom: {
        resourceFieldRef: { containerName: storageNode, resource: 'limits.memory', divisor: '0' },
      },
    },
  ]
}

interface ProbeTimes {
  readonly periodSeconds: number
  readonly timeoutSeconds: number
  readonly failureThreshold: number
}

function probe(path: string, times: ProbeTimes): Part {
  return { httpGet: { path, port: clientPort, scheme: 'HTTPS' }, successThreshold: 1, ...times }
}

/** Readable for the container's group alone. */
function secretVolume(name: string, secretName: string, items?: readonly Part[]): Part {
  return { name, secret: { secretName, defaultMode: 0o440, ...(items && { items }) } }
}

/** Replicas keep to different machines and zones where there are such. */
function spread({ organization }: DesiredInput): Part {
  if (organization.spec.storage.replicas === 1) return {}
  return {
    topologySpreadConstraints: ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map(
      (topologyKey) => ({
        maxSkew: 1,
        topologyKey,
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: storageNodeSelector },
      }),
    ),
  }
}
