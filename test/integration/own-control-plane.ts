import { spawn, type ChildProcess } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { openSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { stringify } from 'yaml'
import { systemClock } from '../../common/clock.ts'

const token = 'control-plane-tests'
const startLimitMs = 60_000
const programNames = ['etcd', 'kube-apiserver', 'kube-controller-manager'] as const
export type MoreArguments = Readonly<Partial<Record<(typeof programNames)[number], readonly string[]>>>
/** The API server makes itself a certificate at its first start. */
const authorityFile = 'certificates/apiserver.crt'
const dataFolder = 'etcd-data'
const backupFolder = 'etcd-backup'

/** etcd, API server and controller manager as processes on loopback, with no node and nothing installed. */
export class ControlPlane {
  readonly #folder: string
  readonly #ports: readonly number[]
  readonly #more: MoreArguments
  #running: ChildProcess[] = []

  private constructor(folder: string, ports: readonly number[], more: MoreArguments) {
    this.#more = more
    this.#folder = folder
    this.#ports = ports
  }

  /**
   * @param programs folder of the program that is all three
   * @param more arguments of a program, besides those that it has here or in their place
   */
  static async start(programs: string, more: MoreArguments = {}): Promise<ControlPlane> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-control-plane-'))
    const plane = new ControlPlane(folder, await freePorts(4), more)
    try {
      for (const name of programNames) await symlink(join(programs, 'kube'), join(folder, name))
      await plane.#prepare()
      await plane.#run()
    } catch (error) {
      await plane.stop()
      throw error
    }
    return plane
  }

  get kubeconfig(): string {
    return join(this.#folder, 'kubeconfig')
  }

  /** Copies what etcd has, as a machine that fails at this moment would leave it. */
  async backUp(): Promise<void> {
    const etcd = this.#running[0]!
    etcd.kill('SIGSTOP')
    try {
      await cp(join(this.#folder, dataFolder), join(this.#folder, backupFolder), { recursive: true })
    } finally {
      etcd.kill('SIGCONT')
    }
  }

  /** Everything ends at once, and starts again with what etcd had when it was copied. */
  async restore(): Promise<void> {
    await this.#end('SIGKILL')
    await rm(join(this.#folder, dataFolder), { recursive: true })
    await cp(join(this.#folder, backupFolder), join(this.#folder, dataFolder), { recursive: true })
    await this.#run()
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM')
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    for (const child of this.#running.toReversed()) await end(child, signal)
    this.#running = []
  }

  async #prepare(): Promise<void> {
    const folder = this.#folder
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2_048,
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
      publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
    })
    await writeFile(join(folder, 'service-accounts.key'), privateKey, { mode: 0o600 })
    await writeFile(join(folder, 'tokens.csv'), `${token},tests,tests,system:masters\n`, { mode: 0o600 })
  }

  async #run(): Promise<void> {
    const folder = this.#folder
    const [client, peer, api, manager] = this.#ports
    const etcd = `http://127.0.0.1:${client}`
    const peers = `http://127.0.0.1:${peer}`
    this.#spawn('etcd', [
      `--data-dir=${dataFolder}`,
      `--listen-client-urls=${etcd}`,
      `--advertise-client-urls=${etcd}`,
      `--listen-peer-urls=${peers}`,
      `--initial-advertise-peer-urls=${peers}`,
      `--initial-cluster=default=${peers}`,
      '--unsafe-no-fsync',
    ])
    this.#spawn('kube-apiserver', [
      `--etcd-servers=${etcd}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${api}`,
      '--cert-dir=certificates',
      '--service-account-issuer=https://kubernetes.default.svc',
      '--service-account-key-file=service-accounts.key',
      '--service-account-signing-key-file=service-accounts.key',
      '--token-auth-file=tokens.csv',
      '--authorization-mode=RBAC',
      '--service-cluster-ip-range=10.99.0.0/24',
      '--endpoint-reconciler-type=none',
    ])
    const origin = `https://127.0.0.1:${api}`
    await untilReady(folder, origin)
    await writeFile(this.kubeconfig, kubeconfig(origin, join(folder, authorityFile)), { mode: 0o600 })
    this.#spawn('kube-controller-manager', [
      '--kubeconfig=kubeconfig',
      '--service-account-private-key-file=service-accounts.key',
      `--root-ca-file=${authorityFile}`,
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      `--secure-port=${manager}`,
      '--cert-dir=certificates',
    ])
  }

  #spawn(name: (typeof programNames)[number], args: readonly string[]): void {
    const folder = this.#folder
    const output = openSync(join(folder, `${name}.log`), 'a')
    const stdio = ['ignore', output, output] as const
    const all = [...args, ...(this.#more[name] ?? [])]
    this.#running.push(spawn(join(folder, name), all, { cwd: folder, stdio: [...stdio] }))
  }
}

function kubeconfig(server: string, authority: string): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'tests', cluster: { server, 'certificate-authority': authority } }],
    users: [{ name: 'tests', user: { token } }],
    contexts: [{ name: 'tests', context: { cluster: 'tests', user: 'tests' } }],
    'current-context': 'tests',
  })
}

async function untilReady(folder: string, origin: string): Promise<void> {
  const untilMs = performance.now() + startLimitMs
  while (performance.now() < untilMs) {
    try {
      const ca = await readFile(join(folder, authorityFile))
      const dispatcher = new Agent({ connect: { ca } })
      const answer = await request(`${origin}/readyz`, {
        dispatcher,
        headers: { authorization: `Bearer ${token}` },
      })
      await answer.body.dump()
      await dispatcher.close()
      if (answer.statusCode === 200) return
    } catch {
      // Not listening yet.
    }
    await systemClock.sleep(250)
  }
  const log = await readFile(join(folder, 'kube-apiserver.log'), 'utf8')
  throw new Error(`the API server was not ready within ${startLimitMs} ms: ${log.slice(-2_000)}`)
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  const overdue = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await ended
  clearTimeout(overdue)
}
