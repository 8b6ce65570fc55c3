import * as z from 'zod'
import { AppError } from '../common/errors.ts'
import { parseListenAddress, type ListenAddress } from '../common/http-server.ts'
import type { Rate } from '../common/rate-limit.ts'
import { defaultHoldLimits, type HoldLimits } from './holds.ts'
import { defaultPoolLimits, type PoolLimits } from './pools.ts'

export interface GatewayConfig {
  readonly listen: ListenAddress
  readonly metricsListen: ListenAddress
  /** tls.crt and tls.key of the public listener; null serves plain HTTP, for local clusters. */
  readonly tlsDir: string | null
  /** tls.crt, tls.key and ca.crt for calling the nodes. */
  readonly identityDir: string
  readonly clusterDomain: string
  readonly baseDomain: string | null
  /** Of one source address, before authentication. */
  readonly attempts: Rate
  /** Of one credential, after it. */
  readonly requests: Rate
  readonly pools: PoolLimits
  /** Where the operator is asked for organizations that hibernate; null for nowhere. */
  readonly wakeAddress: ListenAddress | null
  readonly holds: HoldLimits
  readonly maxConnections: number
  /** Of one source address. */
  readonly connectionsPerSource: number
  /** How long it still takes connections once told to stop: until nobody sends any more. */
  readonly stopDelayMs: number
  readonly logLevel: string
}

const address = z.string().transform((text, context): ListenAddress => {
  const parsed = parseListenAddress(text)
  if (parsed) return parsed
  context.addIssue({ code: 'custom', message: 'host:port expected, for example 0.0.0.0:8086' })
  return z.NEVER
})
const whole = z.coerce.number().int().positive()
const domain = z.string().regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'a DNS name expected')

const schema = z
  .object({
    HOLDFAST_LISTEN: address.default({ host: '0.0.0.0', port: 8086 }),
    HOLDFAST_METRICS_LISTEN: address.default({ host: '0.0.0.0', port: 9090 }),
    HOLDFAST_TLS_DIR: z.string().min(1).optional(),
    HOLDFAST_INSECURE_HTTP: z.enum(['true', 'false']).default('false'),
    HOLDFAST_IDENTITY_DIR: z.string().min(1),
    HOLDFAST_CLUSTER_DOMAIN: domain.default('cluster.local'),
    HOLDFAST_BASE_DOMAIN: domain.optional(),
    HOLDFAST_ATTEMPTS_PER_SECOND: whole.default(100),
    HOLDFAST_REQUESTS_PER_SECOND: whole.default(2_000),
    // A connection with a request under way may hold 100 KiB: these fit into a pod of 256 MiB.
    HOLDFAST_MAX_CONNECTIONS: whole.default(2_000),
    HOLDFAST_CONNECTIONS_PER_SOURCE: whole.default(500),
    HOLDFAST_STOP_DELAY_MS: z.coerce.number().int().min(0).max(20_000).default(3_000),
    HOLDFAST_MAX_ORGANIZATIONS: whole.default(defaultPoolLimits.maxPools),
    HOLDFAST_CONNECTIONS_PER_ORGANIZATION: whole.default(defaultPoolLimits.connectionsPerOrganization),
    HOLDFAST_REQUESTS_PER_ORGANIZATION: whole.default(defaultPoolLimits.requestsPerOrganization),
    HOLDFAST_UPSTREAM_TIMEOUT_MS: whole.default(defaultPoolLimits.responseTimeoutMs),
    HOLDFAST_WAKE_ADDRESS: address.optional(),
    HOLDFAST_HOLD_MS: z.coerce.number().int().min(100).max(60_000).default(defaultHoldLimits.holdMs),
    HOLDFAST_HELD_REQUESTS: whole.default(defaultHoldLimits.requests),
    HOLDFAST_HELD_REQUESTS_PER_ORGANIZATION: whole.default(defaultHoldLimits.requestsPerOrganization),
    HOLDFAST_LOG_LEVEL: z.enum(['error', 'warn', 'info', 'debug']).default('info'),
  })
  .superRefine((values, context) => {
    const secure = values.HOLDFAST_TLS_DIR !== undefined
    if (secure !== (values.HOLDFAST_INSECURE_HTTP === 'true')) return
    context.addIssue({
      code: 'custom',
      path: ['HOLDFAST_TLS_DIR'],
      message: secure
        ? 'set, and HOLDFAST_INSECURE_HTTP=true as well: which of the two?'
        : 'required: a folder with tls.crt and tls.key (or HOLDFAST_INSECURE_HTTP=true for plain HTTP)',
    })
  })

/** Five seconds' worth may come at once. */
const rate = (perSecond: number): Rate => ({ perSecond, burst: 5 * perSecond })

/**
 * The configuration from the environment.
 * @throws AppError invalid, ERR_CONFIG, naming every variable that is wrong
 */
export function parseGatewayConfig(environment: Readonly<Record<string, string | undefined>>): GatewayConfig {
  // A chart sets what has no value to "".
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
  const parsed = schema.safeParse(given)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => {
      const name = String(issue.path[0])
      const missing = given[name] === undefined && issue.code === 'invalid_type'
      return `${name}: ${missing ? 'required' : issue.message}`
    })
    throw new AppError('invalid', 'ERR_CONFIG', `configuration: ${problems.join('; ')}`)
  }
  const values = parsed.data
  return {
    listen: values.HOLDFAST_LISTEN,
    metricsListen: values.HOLDFAST_METRICS_LISTEN,
    tlsDir: values.HOLDFAST_TLS_DIR ?? null,
    identityDir: values.HOLDFAST_IDENTITY_DIR,
    clusterDomain: values.HOLDFAST_CLUSTER_DOMAIN,
    baseDomain: values.HOLDFAST_BASE_DOMAIN ?? null,
    attempts: rate(values.HOLDFAST_ATTEMPTS_PER_SECOND),
    requests: rate(values.HOLDFAST_REQUESTS_PER_SECOND),
    maxConnections: values.HOLDFAST_MAX_CONNECTIONS,
    connectionsPerSource: values.HOLDFAST_CONNECTIONS_PER_SOURCE,
    stopDelayMs: values.HOLDFAST_STOP_DELAY_MS,
    pools: {
      ...defaultPoolLimits,
      maxPools: values.HOLDFAST_MAX_ORGANIZATIONS,
      connectionsPerOrganization: values.HOLDFAST_CONNECTIONS_PER_ORGANIZATION,
      requestsPerOrganization: values.HOLDFAST_REQUESTS_PER_ORGANIZATION,
      responseTimeoutMs: values.HOLDFAST_UPSTREAM_TIMEOUT_MS,
    },
    wakeAddress: values.HOLDFAST_WAKE_ADDRESS ?? null,
    holds: {
      holdMs: values.HOLDFAST_HOLD_MS,
      requests: values.HOLDFAST_HELD_REQUESTS,
      requestsPerOrganization: values.HOLDFAST_HELD_REQUESTS_PER_ORGANIZATION,
    },
    logLevel: values.HOLDFAST_LOG_LEVEL,
  }
}
