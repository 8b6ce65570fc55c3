import * as z from 'zod'
import { AppError } from '../common/errors.ts'
import { parseListenAddress, type ListenAddress } from '../common/http-server.ts'

const name = z.string().regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, 'must be a Kubernetes name')

const listen = z.string().transform((text, context) => {
  const address = parseListenAddress(text)
  if (address) return address
  context.addIssue({ code: 'custom', message: 'must be <address>:<port>, for example 0.0.0.0:9090' })
  return z.NEVER
})

const place = z.string().transform((text, context): ListenAddress | null => {
  const address = text === '' ? null : parseListenAddress(text)
  if (text === '' || address) return address
  context.addIssue({ code: 'custom', message: 'must be <host>:<port>' })
  return z.NEVER
})

const workers = z
  .string()
  .regex(/^[0-9]{1,3}$/, 'must be a whole number from 1 to 64')
  .transform(Number)
  .refine((count) => count >= 1 && count <= 64, 'must be a whole number from 1 to 64')

const environmentSchema = z.object({
  HOLDFAST_NAMESPACE: name.describe('namespace of the operator, its lease and the authority'),
  HOLDFAST_POD_NAME: name.describe('who holds the lease'),
  HOLDFAST_PLATFORM_FILE: z.string().min(1).describe('YAML: classes, limits, gateway, isolation'),
  HOLDFAST_WATCH_NAMESPACES: z
    .string()
    .default('')
    .transform((text) => text.split(',').filter((part) => part !== ''))
    .pipe(z.array(name).max(1_000))
    .describe('comma list of tenant namespaces; empty = all'),
  HOLDFAST_KUBECONFIG: z.string().min(1).optional().describe('to run outside of a cluster'),
  HOLDFAST_METRICS_LISTEN: listen.prefault('0.0.0.0:9090').describe('/metrics, /healthz and /readyz'),
  HOLDFAST_WAKE_LISTEN: listen
    .optional()
    .describe('the wake door, for the gateway; none: what hibernates when idle is woken by nobody'),
  HOLDFAST_ISOLATION_PROBE: z
    .string()
    .max(253)
    .default('')
    .describe('host of the isolation probe; empty = there is none'),
  HOLDFAST_ISOLATION_CONTROL: place
    .prefault('')
    .describe('<host>:<port> that the probe must reach: the gateway'),
  HOLDFAST_WORKERS: workers.prefault('8').describe('tenants that are settled at the same time'),
  HOLDFAST_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
})

export interface OperatorConfig {
  readonly namespace: string
  readonly podName: string
  readonly platformFile: string
  /** Empty: all namespaces. */
  readonly watchNamespaces: readonly string[]
  /** null: the service account of the pod. */
  readonly kubeconfig: string | null
  readonly metricsListen: ListenAddress
  /** null for no wake door. */
  readonly wakeListen: ListenAddress | null
  /** Where the isolation probe is, and what it must reach; null for what is not there. */
  readonly isolation: {
    readonly probe: string | null
    readonly gateway: ListenAddress | null
  }
  readonly workers: number
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error'
}

/** @throws AppError invalid, ERR_CONFIG, that names every variable that is wrong */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): OperatorConfig {
  const parsed = environmentSchema.safeParse(environment)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => {
      const variable = String(issue.path[0])
      return `${variable} ${environment[variable] === undefined ? 'is missing' : issue.message}`
    })
    throw new AppError('invalid', 'ERR_CONFIG', problems.join('; '))
  }
  const found = parsed.data
  return Object.freeze({
    namespace: found.HOLDFAST_NAMESPACE,
    podName: found.HOLDFAST_POD_NAME,
    platformFile: found.HOLDFAST_PLATFORM_FILE,
    watchNamespaces: found.HOLDFAST_WATCH_NAMESPACES,
    kubeconfig: found.HOLDFAST_KUBECONFIG ?? null,
    metricsListen: found.HOLDFAST_METRICS_LISTEN,
    wakeListen: found.HOLDFAST_WAKE_LISTEN ?? null,
    isolation: {
      probe: found.HOLDFAST_ISOLATION_PROBE === '' ? null : found.HOLDFAST_ISOLATION_PROBE,
      gateway: found.HOLDFAST_ISOLATION_CONTROL,
    },
    workers: found.HOLDFAST_WORKERS,
    logLevel: found.HOLDFAST_LOG_LEVEL,
  })
}
