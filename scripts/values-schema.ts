import * as z from 'zod'
import { namespaceName, objectName } from '../operator/api/fields.ts'
import { platformSchema, resourceList, toleration } from '../operator/api/platform.ts'

/**
 * The chart's values: what `charts/holdfast/values.yaml` may be overridden with. What the operator reads of them is the
 * operator's own schema, so that Helm refuses what the operator would refuse at its start. Patterns must mean the same
 * to Go, whose expressions have no look-ahead.
 */
const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
/** A last part that is a number would be an address, and often a wrong one. */
const dnsName = `(${label}\\.)*[a-z]([-a-z0-9]*[a-z0-9])?`
const octet = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'
const ipv4 = `${octet}(\\.${octet}){3}`
const ipv6 = '[0-9a-f]*:[0-9a-f:.]+'
const port = '(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})'

const text = (pattern: string, what: string) =>
  z
    .string()
    .max(253)
    .regex(new RegExp(`^${pattern}$`))
    .describe(what)
const count = (most: number, what: string) => z.int().min(1).max(most).describe(what)
const pullPolicy = z.enum(['Always', 'IfNotPresent', 'Never']).describe('imagePullPolicy of the pods')
const logLevel = z
  .enum(['debug', 'info', 'warn', 'error'])
  .describe('Least severe log lines that are written')

const pods = {
  resources: z
    .strictObject({ requests: resourceList.optional(), limits: resourceList.optional() })
    .describe('Resources of a container'),
  nodeSelector: z.record(z.string(), z.string()).describe('Nodes that the pods may run on'),
  tolerations: z.array(toleration).describe('Taints that the pods tolerate'),
}

const labelSelector = z.strictObject({
  matchLabels: z.record(z.string(), z.string()).optional(),
  matchExpressions: z
    .array(
      z.strictObject({
        key: z.string(),
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(z.string()).optional(),
      }),
    )
    .optional(),
})

const policyPeer = z
  .strictObject({
    namespaceSelector: labelSelector.optional(),
    podSelector: labelSelector.optional(),
    ipBlock: z.strictObject({ cidr: z.string(), except: z.array(z.string()).optional() }).optional(),
  })
  .describe('A peer as in a NetworkPolicy')

const { storageNode, classes, tenantLimits } = platformSchema.shape

const valuesSchema = z.strictObject({
  global: z.looseObject({}).optional().describe("Helm's own"),
  image: z.strictObject({
    repository: z.string().describe('Image of operator and gateway, without its tag; must be set'),
    tag: z.string().describe("Empty: the chart's appVersion"),
    pullPolicy,
  }),
  imagePullSecrets: z
    .array(z.strictObject({ name: objectName().describe('Name of a Secret') }))
    .describe('Secrets for pulling images, as {name}'),
  crds: z.strictObject({
    enabled: z
      .boolean()
      .describe('Install and upgrade the CustomResourceDefinitions; they stay on uninstall'),
  }),
  deletionProtection: z.strictObject({
    enabled: z
      .boolean()
      .describe('Refuse to delete what holds data without the annotation holdfast.dev/confirm-deletion'),
  }),
  operator: z.strictObject({
    replicas: count(5, 'Operators; one leads, the others wait'),
    watchNamespaces: z.array(namespaceName()).max(1_000).describe('Namespaces looked at; empty: all'),
    workers: count(64, 'Tenants settled at the same time'),
    logLevel,
    ...pods,
  }),
  gateway: z.strictObject({
    replicas: count(100, 'Gateway pods'),
    logLevel,
    service: z.strictObject({
      type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer']).describe('Type of the Service'),
      port: count(65_535, 'Port of the one public address'),
      externalTrafficPolicy: z
        .enum(['Local', 'Cluster'])
        .describe("With type NodePort or LoadBalancer only; Local keeps the clients' addresses"),
      nodePort: count(65_535, 'With type NodePort only; null: Kubernetes chooses').nullish(),
      annotations: z.record(z.string(), z.string()).describe('Annotations of the Service'),
    }),
    tls: z.strictObject({
      secretName: text(
        `(${label}(\\.${label})*)?`,
        'kubernetes.io/tls Secret of your own; empty: the operator issues a certificate',
      ),
      hosts: z
        .array(text(`((\\*\\.)?${dnsName}|${ipv4}|${ipv6})`, 'DNS name or IP address'))
        .max(90)
        .describe('Further DNS names and IP addresses of the issued certificate'),
    }),
    insecureHTTP: z.boolean().describe('Plain HTTP: for local clusters only'),
    url: text(
      `(https?://(${dnsName}|${ipv4}|\\[${ipv6}\\])(:${port})?)?`,
      "Address written into the tokens' Secrets; empty: the Service inside the cluster",
    ),
    baseDomain: text(`(${dnsName})?`, 'Organizations are also found by host <id>.<base domain>; empty: off'),
    limits: z.strictObject({
      attemptsPerSecond: count(1_000_000, 'Of one source address, before authentication'),
      requestsPerSecond: count(1_000_000, 'Of one token'),
      connections: count(1_000_000, 'Open connections of clients, of one gateway pod'),
      connectionsPerSource: count(1_000_000, 'Of these, from one source address'),
      requestsPerOrganization: count(1_000_000, 'Requests under way to one organization, of one gateway pod'),
      connectionsPerOrganization: count(10_000, 'Connections to its storage nodes, of one gateway pod'),
      silenceSeconds: count(86_400, 'Longest silence of a storage node within a request'),
      holdSeconds: count(
        60,
        'Longest time that a request waits for an organization to wake that hibernates when idle',
      ).optional(),
      heldRequests: count(100_000, 'Requests that wait so, of one gateway pod').optional(),
      heldRequestsPerOrganization: count(100_000, 'Of these, for one organization').optional(),
    }),
    ...pods,
  }),
  storageNode,
  classes,
  tenantLimits,
  isolation: z.strictObject({
    required: z.boolean().describe('An organization is Ready only once its closed paths are proved closed'),
    probe: z.strictObject({ logLevel, ...pods }).describe('The pod that tries to reach storage nodes'),
  }),
  clusterDomain: text(dnsName, 'DNS domain of the cluster'),
  certificates: z.strictObject({
    lifetimeDays: count(3_650, 'Of what the operator issues; renewed when 60 to 67 % of it are over'),
    authorityLifetimeDays: count(36_500, 'Of the authority; at least six times lifetimeDays'),
  }),
  networkPolicies: z.strictObject({
    enabled: z.boolean().describe('Policies for the operator and the gateway themselves'),
    metricsFrom: z.array(policyPeer).describe('Who may reach the metrics ports; empty: nobody'),
  }),
})

/** `charts/holdfast/values.schema.json`, which Helm checks values against. */
export function valuesJsonSchema(): string {
  const schema = z.toJSONSchema(valuesSchema, {
    target: 'draft-7',
    io: 'input',
    override: ({ jsonSchema }) => {
      // The defaults are those of values.yaml, with which Helm merges everything that it checks.
      delete jsonSchema.default
    },
  })
  return `${JSON.stringify({ title: 'Values of the Holdfast chart', ...schema }, null, 2)}\n`
}
