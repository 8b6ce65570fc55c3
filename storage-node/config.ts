import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import * as z from 'zod'
import { durationMs, durationPattern } from '../common/duration.ts'
import { AppError } from '../common/errors.ts'
import { isLoopback, parseListenAddress, type ListenAddress } from '../common/http-server.ts'
import { idPattern } from '../common/ids.ts'

interface CommonConfig {
  readonly dataDir: string
  readonly listen: ListenAddress
  readonly memoryLimitBytes: number
  readonly logLevel: string
  /** From the end of one check of all files to the next; 0 for none. */
  readonly scrubIntervalMs: number
  /** DuckDB's httpfs extension. */
  readonly duckdbExtension: string
  /** The program file of the query process. */
  readonly queryProcess: string
}

/** On a cluster: the operator tells the node all it has to know. */
export interface ClusterConfig extends CommonConfig {
  readonly mode: 'cluster'
  readonly organizationId: string
  readonly installationId: string
  readonly adminListen: ListenAddress
  /** tls.crt, tls.key, ca.crt. */
  readonly tlsDir: string
  /** base64 of 32 bytes. */
  readonly dataKeyFile: string
}

/** Alone: no operator; the node keeps its own catalogue, and makes what is missing on its first start. */
export interface AloneConfig extends CommonConfig {
  readonly mode: 'alone'
  readonly authentication: boolean
  /** Where Prometheus finds metrics, in plain HTTP; null for nowhere. */
  readonly metricsListen: ListenAddress | null
  /** tls.crt and tls.key; null serves plain HTTP. */
  readonly tlsDir: string | null
  readonly dataKeyFile: string
  /** The private key of the audit stream, its public one beside it; null for no audit stream. */
  readonly auditKeyFile: string | null
}

export type NodeConfig = ClusterConfig | AloneConfig

/** Flag, environment variable, and what it is, for all that can be set. */
const settings = {
  data: 'HOLDFAST_DATA_DIR',
  listen: 'HOLDFAST_LISTEN',
  'admin-listen': 'HOLDFAST_ADMIN_LISTEN',
  'metrics-listen': 'HOLDFAST_METRICS_LISTEN',
  'tls-dir': 'HOLDFAST_TLS_DIR',
  'key-file': 'HOLDFAST_DATA_KEY_FILE',
  'audit-key': 'HOLDFAST_AUDIT_KEY_FILE',
  'organization-id': 'HOLDFAST_ORGANIZATION_ID',
  'installation-id': 'HOLDFAST_INSTALLATION_ID',
  'memory-limit-bytes': 'HOLDFAST_MEMORY_LIMIT_BYTES',
  'log-level': 'HOLDFAST_LOG_LEVEL',
  'duckdb-extension': 'HOLDFAST_DUCKDB_EXTENSION',
  'query-process': 'HOLDFAST_QUERY_PROCESS',
  'scrub-interval': 'HOLDFAST_SCRUB_INTERVAL',
  auth: 'HOLDFAST_AUTH',
} as const

type Setting = keyof typeof settings
type Values = Partial<Record<Setting, string>> & { readonly insecure: boolean }

const id = z.string().regex(idPattern, '16 lower-case hex digits expected')
const path = z
  .string()
  .min(1)
  .transform((text) => resolve(text))
const address = z.string().transform((text, context): ListenAddress => {
  const parsed = parseListenAddress(text)
  if (parsed) return parsed
  context.addIssue({ code: 'custom', message: 'host:port expected, for example 127.0.0.1:8086' })
  return z.NEVER
})

const common = {
  data: path,
  'memory-limit-bytes': z.coerce
    .number()
    .int()
    .min(64 * 1024 * 1024, 'at least 64 MiB')
    .default(512 * 1024 * 1024),
  'log-level': z.enum(['error', 'warn', 'info', 'debug']).default('info'),
  'scrub-interval': z
    .string()
    .regex(new RegExp(durationPattern), 'a duration expected, for example 168h, or 0')
    .default('168h')
    .transform(durationMs),
  'duckdb-extension': path,
  'query-process': path.default(fileURLToPath(new URL('query-process/main.ts', import.meta.url))),
}

const clusterSchema = z.object({
  ...common,
  'organization-id': id,
  'installation-id': id,
  listen: address.default({ host: '0.0.0.0', port: 8086 }),
  'admin-listen': address.default({ host: '0.0.0.0', port: 8087 }),
  'tls-dir': path,
  'key-file': path,
  auth: z.literal('on', 'on a cluster it is always on').default('on'),
})

const aloneSchema = z
  .object({
    ...common,
    listen: address.default({ host: '127.0.0.1', port: 8086 }),
    'metrics-listen': address.optional(),
    'tls-dir': path.optional(),
    'key-file': path.optional(),
    'audit-key': path.optional(),
    auth: z.enum(['on', 'off']).default('on'),
    insecure: z.boolean(),
  })
  .superRefine((values, context) => {
    const metrics = values['metrics-listen']
    if (metrics && !values.insecure && !isLoopback(metrics.host))
      context.addIssue({
        code: 'custom',
        path: ['metrics-listen'],
        message: 'metrics are plain HTTP for whoever asks: a loopback address, or --insecure if you mean it',
      })
    if (values['tls-dir'] !== undefined || values.insecure || isLoopback(values.listen.host)) return
    context.addIssue({
      code: 'custom',
      path: ['listen'],
      message: 'plain HTTP is for loopback addresses; give --tls-dir, or --insecure if you mean it',
    })
  })

/**
 * The configuration from flags, and the environment where a flag is not given. With an organization id the node is
 * one of a cluster, without one it is alone.
 * @throws AppError invalid, ERR_CONFIG, naming every setting that is wrong
 */
export function parseNodeConfig(
  flags: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): NodeConfig {
  const values = valuesOf(flags, environment)
  return values['organization-id'] === undefined ? aloneConfig(values) : clusterConfig(values)
}

function valuesOf(
  flags: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Values {
  const names = Object.keys(settings) as Setting[]
  try {
    const parsed = parseArgs({
      args: [...flags],
      options: {
        ...Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])),
        insecure: { type: 'boolean' as const, default: false },
      },
      strict: true,
    })
    const given: Readonly<Record<string, string | boolean | undefined>> = parsed.values
    const entries = names
      .map((name) => [name, given[name] ?? environment[settings[name]]] as const)
      .filter(([, value]) => value !== undefined && value !== '')
    return { ...Object.fromEntries(entries), insecure: given['insecure'] === true }
  } catch (error) {
    throw new AppError('invalid', 'ERR_CONFIG', error instanceof Error ? error.message : String(error))
  }
}

function check<T>(schema: z.ZodType<T>, values: Values): T {
  const parsed = schema.safeParse(values)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => {
    const name = String(issue.path[0]) as Setting
    const missing = values[name] === undefined && issue.code === 'invalid_type'
    return `--${name} (${settings[name]}): ${missing ? 'required' : issue.message}`
  })
  throw new AppError('invalid', 'ERR_CONFIG', `configuration: ${problems.join('; ')}`)
}

function clusterConfig(given: Values): ClusterConfig {
  const values = check(clusterSchema, given)
  return {
    mode: 'cluster',
    ...commonConfig(values),
    listen: values.listen,
    organizationId: values['organization-id'],
    installationId: values['installation-id'],
    adminListen: values['admin-listen'],
    tlsDir: values['tls-dir'],
    dataKeyFile: values['key-file'],
  }
}

function aloneConfig(given: Values): AloneConfig {
  const values = check(aloneSchema, given)
  return {
    mode: 'alone',
    ...commonConfig(values),
    listen: values.listen,
    authentication: values.auth === 'on',
    metricsListen: values['metrics-listen'] ?? null,
    tlsDir: values['tls-dir'] ?? null,
    dataKeyFile: values['key-file'] ?? `${values.data}.key`,
    auditKeyFile: values['audit-key'] ?? null,
  }
}

function commonConfig(values: z.infer<z.ZodObject<typeof common>>) {
  return {
    dataDir: values.data,
    memoryLimitBytes: values['memory-limit-bytes'],
    logLevel: values['log-level'],
    scrubIntervalMs: values['scrub-interval'],
    duckdbExtension: values['duckdb-extension'],
    queryProcess: values['query-process'],
  }
}
