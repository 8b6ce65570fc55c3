import { spawn, type ChildProcess } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { systemClock } from '../../common/clock.ts'
import { idOfUid } from '../../common/ids.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resources, type Resource } from '../../operator/kube/resource.ts'
import { freePort } from '../support/free-port.ts'
import type { Form } from '../support/image-form.ts'
import { runningMs } from '../support/stalls.ts'
import { writeAccountKubeconfig } from './account.ts'
import { ApiServer } from './api-server.ts'
import { applyChartRights } from './chart-rights.ts'
import type { Release } from './release.ts'

const root = join(import.meta.dirname, '../..')
const serviceAccount = 'holdfast-operator'
const asSource: Form = { command: [process.execPath, join(root, 'operator/main.ts')], environment: {} }

export interface OperatorOptions {
  /** Namespaces, there already, that alone are looked at; none for all. */
  readonly watchNamespaces?: readonly string[]
  /** What Helm installs, in place of the chart's rights alone; the operator's own Deployment finds no node. */
  readonly release?: Release
  /** How the program is started. */
  readonly form?: Form
  /** Settings of the platform in place of the usual ones. */
  readonly platform?: object
  /** What the platform offers besides the usual: classes, and images by version. */
  readonly classes?: Readonly<Record<string, unknown>>
  readonly images?: Readonly<Record<string, string>>
  readonly environment?: Readonly<Record<string, string>>
  readonly isolationRequired?: boolean
}

/** An operator as a process of this machine, with the rights that the chart gives it, its fence around them, and no others. */
export class OperatorHarness {
  readonly namespace: string
  readonly #server: ApiServer
  readonly #folder: string
  readonly #morePlatform: object
  #metricsPort = 0
  #wakePort = 0
  readonly #offered: Pick<OperatorOptions, 'classes' | 'images'>
  readonly #watchNamespaces: string
  readonly #release: Release | null
  readonly #adminKubeconfig: string
  readonly #form: Form
  readonly #options: OperatorOptions
  installationId = ''
  /** Paths of what is of no namespace and this test's alone. */
  #clusterWide: readonly string[] = []
  #process: ChildProcess | null = null
  #exited: Promise<unknown> = Promise.resolve()

  private constructor(server: ApiServer, kubeconfig: string, folder: string, options: OperatorOptions) {
    const { watchNamespaces = [], release = null, form = asSource, platform = {} } = options
    this.#form = form
    this.#morePlatform = platform
    this.#options = options
    this.#server = server
    this.namespace = release?.namespace ?? `holdfast-test-${process.pid}`
    this.#release = release
    this.#offered = options
    this.#adminKubeconfig = kubeconfig
    this.#folder = folder
    this.#watchNamespaces = watchNamespaces.join(',')
  }

  static async open(
    server: ApiServer,
    kubeconfig: string,
    options: OperatorOptions = {},
  ): Promise<OperatorHarness> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-operator-'))
    const harness = new OperatorHarness(server, kubeconfig, folder, options)
    await harness.#prepare()
    return harness
  }

  /** How the operator's own account calls the API server. */
  get kubeconfig(): string {
    return join(this.#folder, 'kubeconfig')
  }

  /** Where the operator writes its log. */
  get logFile(): string {
    return join(this.#folder, 'operator.log')
  }

  /** Of the process that was started last. */
  get pid(): number {
    return this.#process?.pid ?? 0
  }

  /** Where the operator that leads is asked for organizations that hibernate. */
  get wakePort(): number {
    return this.#wakePort
  }

  log(): Promise<string> {
    return readFile(this.logFile, 'utf8')
  }

  async start(): Promise<void> {
    await this.#signIn()
    const [program = '', ...args] = this.#form.command
    const child = spawn(program, args, {
      env: {
        ...this.#form.environment,
        PATH: process.env['PATH'],
        HOLDFAST_NAMESPACE: this.namespace,
        HOLDFAST_POD_NAME: 'operator',
        HOLDFAST_PLATFORM_FILE: join(this.#folder, 'platform.yaml'),
        HOLDFAST_WATCH_NAMESPACES: this.#watchNamespaces,
        HOLDFAST_KUBECONFIG: this.kubeconfig,
        HOLDFAST_METRICS_LISTEN: `127.0.0.1:${this.#metricsPort}`,
        HOLDFAST_WAKE_LISTEN: `127.0.0.1:${this.wakePort}`,
        ...this.#options.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const file = createWriteStream(this.logFile, { flags: 'a' })
    child.stdout.pipe(file, { end: false })
    child.stderr.pipe(file, { end: false })
    this.#process = child
    this.#exited = new Promise((resolve) => child.once('exit', resolve))
    // A lease that a killed operator has left must run out first.
    await eventually('the operator is ready and leads', 40_000, async () => {
      if (child.exitCode !== null) throw new Error(`operator ended: ${await this.log()}`)
      // In this order: a stand-by is ready, and may begin to lead between two questions.
      const metrics = await this.metrics().catch(() => '')
      if (!metrics.includes('holdfast_leader{program="operator"} 1')) return false
      return (await fetch(`http://127.0.0.1:${this.#metricsPort}/readyz`)).ok
    })
  }

  /** @returns the exit code, or the signal that ended it */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<unknown> {
    if (!this.#process) return null
    this.#process.kill(signal)
    this.#process = null
    return this.#exited
  }

  /**
   * Stops the leader where it is, and has another process lead.
   * @returns a way to let it go on: resolves with its exit code
   */
  async replaceFrozen(): Promise<() => Promise<unknown>> {
    const [frozen, exited] = [this.#process, this.#exited]
    frozen?.kill('SIGSTOP')
    try {
      await this.#choosePorts()
      await this.start()
    } catch (error) {
      frozen?.kill('SIGKILL')
      throw error
    }
    return () => {
      frozen?.kill('SIGCONT')
      return exited
    }
  }

  async metrics(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.#metricsPort}/metrics`)).text()
  }

  /** Requests that write, as the operator itself counts them, without those on its lease. */
  async writes(): Promise<number> {
    let total = 0
    for (const line of (await this.metrics()).split('\n')) {
      const match = /^holdfast_kube_requests_total\{(.*)\} ([0-9]+)$/.exec(line)
      if (!match || /verb="(get|list|watch)"/.test(match[1]!) || match[1]!.includes('resource="leases"'))
        continue
      total += Number(match[2])
    }
    return total
  }

  async close(): Promise<void> {
    await this.stop()
    await this.#release?.uninstall()
    for (const path of this.#clusterWide.toReversed()) await this.#server.send('DELETE', path)
    await this.#server.send('DELETE', pathOf(resources.namespaces, { name: this.namespace }))
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** Other ones than those of an operator that still has them. */
  async #choosePorts(): Promise<void> {
    this.#metricsPort = await freePort(20_000 + (process.pid % 10_000))
    this.#wakePort = await freePort(10_000 + (process.pid % 10_000))
  }

  async #prepare(): Promise<void> {
    await this.#choosePorts()
    const made = await this.#server.apply({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: this.namespace },
    })
    this.installationId = idOfUid((made.body['metadata'] as { uid: string }).uid)
    if (this.#release) await this.#release.install()
    else await this.#grantRights()
    await this.#signIn()
    await this.#untilFenced()
    const platform = this.#release
      ? await this.#release.platformFile()
      : stringify({ ...this.#platform(), ...this.#morePlatform })
    await writeFile(join(this.#folder, 'platform.yaml'), platform)
  }

  /** With a token of the account as it is now: another one of its name does not take an old one's. */
  async #signIn(): Promise<void> {
    const account = { namespace: this.namespace, name: serviceAccount }
    await writeAccountKubeconfig(this.#server, this.#adminKubeconfig, account, this.kubeconfig)
  }

  async #grantRights(): Promise<void> {
    for (const plural of ['organizations', 'databases', 'tokens']) {
      const yaml = await readFile(join(root, `crds/holdfast.dev_${plural}.yaml`), 'utf8')
      await eventually(`${plural} are served`, 60_000, async () => {
        await this.#server.install(yaml)
        return true
      })
    }
    await this.#server.apply({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: serviceAccount, namespace: this.namespace },
    })
    this.#clusterWide = await applyChartRights(this.#server, {
      namespace: this.namespace,
      settings: this.#watchNamespaces === '' ? [] : [`operator.watchNamespaces={${this.#watchNamespaces}}`],
      isWanted: () => true,
    })
  }

  /** Policies come into force a second or so after they were made. */
  async #untilFenced(): Promise<void> {
    const account = await ApiServer.open(this.kubeconfig)
    const namespace = 'default'
    const policy = this.#release ? serviceAccount : this.namespace
    const refused: readonly KubeObject[] = [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'evil' } },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: serviceAccount, namespace },
        roleRef: {
          apiGroup: 'rbac.authorization.k8s.io',
          kind: 'ClusterRole',
          name: 'holdfast-tenant-secrets',
        },
        subjects: [{ kind: 'ServiceAccount', name: serviceAccount, namespace: this.namespace }],
      },
    ]
    for (const object of refused) {
      await eventually(`${object.kind} is fenced`, 30_000, async () => {
        const { body } = await account.apply(object, { dryRun: true })
        if (body.message?.includes(`ValidatingAdmissionPolicy '${policy}`)) return true
        throw new Error(JSON.stringify(body))
      })
    }
    await account.close()
  }

  #platform(): object {
    return {
      operatorNamespace: this.namespace,
      operatorServiceAccount: serviceAccount,
      storageNode: {
        images: {
          '0.1.0': 'localhost/storage-node:none',
          '0.2.0': 'localhost/storage-node:next',
          ...this.#offered.images,
        },
        defaultVersion: '0.1.0',
      },
      // Where nothing runs, nothing can be tried.
      isolation: { required: this.#options.isolationRequired ?? false },
      classes: {
        // No node has this label, so that nothing but the stand-in ever runs a pod.
        standard: { nodeSelector: { 'holdfast.dev/no-such-node': 'true' } },
        ...this.#offered.classes,
      },
      gateway: {
        url: 'https://gateway.example:8086',
        tlsSecretName: 'holdfast-gateway-tls',
        issueCertificate: true,
        hosts: ['gateway.example'],
      },
    }
  }
}

/**
 * For what the operator does as soon as a watch tells of it: long enough for a machine that has others to serve, and
 * minutes before it would look by itself.
 */
export const soonMs = 20_000

/**
 * Calls `attempt` until it returns something that is neither undefined, null nor false.
 * @throws Error with `what` and the last failure once `timeoutMs` have passed in which the machine did not stand still
 */
export async function eventually<Value>(
  what: string,
  timeoutMs: number,
  attempt: () => Promise<Value | undefined | null | false>,
): Promise<Value> {
  const untilMs = runningMs() + timeoutMs
  let last: unknown = 'it did not happen'
  while (runningMs() < untilMs) {
    try {
      const value = await attempt()
      if (value !== undefined && value !== null && value !== false) return value
    } catch (error) {
      last = error
    }
    await systemClock.sleep(100)
  }
  throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: last })
}

/** One object as it is, null if there is none. */
export async function read(
  server: ApiServer,
  resource: Resource,
  namespace: string | undefined,
  name: string,
): Promise<KubeObject | null> {
  const at = namespace === undefined ? { name } : { namespace, name }
  const answer = await server.send('GET', pathOf(resource, at))
  return answer.status === 200 ? (answer.body as unknown as KubeObject) : null
}
