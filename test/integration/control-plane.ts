import { spawn, type ChildProcess } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { openSync } from 'node:fs'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { stringify } from 'yaml'
import { systemClock } from '../../common/clock.ts'
import { buildPrograms } from '../../local-kubernetes/programs.ts'

/**
 * A control plane for the tests of this layer alone: etcd, API server and controller manager on loopback, with no node
 * and nothing installed. Where KUBECONFIG is set, the tests use that cluster instead.
 */
const token = 'control-plane-tests'
const startLimitMs = 60_000

export default async function setup(): Promise<() => Promise<void>> {
  if (process.env['KUBECONFIG']) return async () => undefined
  const plane = await startControlPlane()
  process.env['KUBECONFIG'] = plane.kubeconfig
  return () => plane.stop()
}

export interface ControlPlane {
  /** Of an administrator. */
  readonly kubeconfig: string
  stop(): Promise<void>
}

/** @param more arguments of a program, besides those that it has here or in their place */
export async function startControlPlane(
  more: Readonly<Partial<Record<ProgramName, readonly string[]>>> = {},
): Promise<ControlPlane> {
  const programs = await buildPrograms((line) => console.log(line))
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-control-plane-'))
  const running: ChildProcess[] = []
  const end = async (): Promise<void> => {
    for (const child of running.toReversed()) await stop(child)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    for (const name of programNames) await symlink(join(programs, 'kube'), join(folder, name))
    await start(folder, running, more)
  } catch (error) {
    await end()
    throw error
  }
  return { kubeconfig: join(folder, 'kubeconfig'), stop: end }
}

const programNames = ['etcd', 'kube-apiserver', 'kube-controller-manager'] as const
type ProgramName = (typeof programNames)[number]

async function start(
  folder: string,
  running: ChildProcess[],
  more: Readonly<Partial<Record<ProgramName, readonly string[]>>>,
): Promise<void> {
  const [client, peer, api, manager] = await freePorts(4)
  const etcd = `http://127.0.0.1:${client}`
  const peers = `http://127.0.0.1:${peer}`
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  await writeFile(join(folder, 'service-accounts.key'), privateKey, { mode: 0o600 })
  await writeFile(join(folder, 'tokens.csv'), `${token},tests,tests,system:masters\n`, { mode: 0o600 })
  const run = (name: ProgramName, args: readonly string[]): void => {
    const output = openSync(join(folder, `${name}.log`), 'w')
    const all = [...args, ...(more[name] ?? [])]
    running.push(spawn(join(folder, name), all, { cwd: folder, stdio: ['ignore', output, output] }))
  }
  run('etcd', [
    '--data-dir=etcd-data',
    `--listen-client-urls=${etcd}`,
    `--advertise-client-urls=${etcd}`,
    `--listen-peer-urls=${peers}`,
    `--initial-advertise-peer-urls=${peers}`,
    `--initial-cluster=default=${peers}`,
    '--unsafe-no-fsync',
  ])
  run('kube-apiserver', [
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
  await writeFile(join(folder, 'kubeconfig'), kubeconfig(origin, join(folder, authorityFile)), {
    mode: 0o600,
  })
  run('kube-controller-manager', [
    '--kubeconfig=kubeconfig',
    '--service-account-private-key-file=service-accounts.key',
    `--root-ca-file=${authorityFile}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    `--secure-port=${manager}`,
    '--cert-dir=certificates',
  ])
}

/** The API server makes itself a certificate at its first start. */
const authorityFile = 'certificates/apiserver.crt'

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

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const overdue = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await ended
  clearTimeout(overdue)
}
