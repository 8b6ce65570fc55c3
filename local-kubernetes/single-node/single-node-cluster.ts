import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, messageOf } from '../../common/errors.ts'
import { withLock } from '../../scripts/lock.ts'
import { bootId } from '../../scripts/process-identity.ts'
import { spanOf, type Progress } from '../../scripts/run.ts'
import { ensurePackages } from '../../scripts/system-packages.ts'
import type { Cluster, ControlPlaneFaults } from '../cluster.ts'
import { buildPrograms } from '../programs.ts'
import { addonManifests, applyAddons, areAddonsApplied } from './addons.ts'
import { ensureAuthority, KUBECONFIG_USERS, writeKubeconfig } from './authority.ts'
import { prepareCgroups } from './cgroups.ts'
import { components, type Stages } from './components.ts'
import { cniConfig, configurationFiles } from './configuration.ts'
import { cutOff } from './cut-off.ts'
import {
  isHostPrepared,
  prepareHost,
  reachableNameServers,
  rememberHost,
  removeNetwork,
  restoreHost,
} from './host.ts'
import { buildNodeImages, loadArchives } from './images.ts'
import { DATA, NODE_ADDRESS, paths, program, RUN } from './layout.ts'
import { endEverything } from './leftovers.ts'
import { CNI_PLUGINS, CONTAINERD, nodePackages } from './packages.ts'
import type { ClientIdentity } from './probe.ts'
import { isNodeReady, untilReady } from './readiness.ts'
import { ComponentError, ensureComponent, isServing, linkProgram, stopComponent } from './process.ts'

const LOCK = `${RUN}.lock`

/** All that is worked out before anything is started. */
interface Plan {
  readonly stages: Stages
  readonly files: Readonly<Record<string, string>>
  readonly nameServers: readonly string[]
  readonly addons: string
  readonly programs: string
  readonly identity: ClientIdentity
}

/**
 * A Kubernetes of one node, whose programs are processes of this machine. Everything of it lies in two folders
 * (`layout.ts`) and carries names of its own, so that it goes without a trace and harms nothing else that runs here.
 */
export class SingleNodeCluster implements Cluster {
  readonly kind = 'local'
  readonly kubeconfig = paths.adminKubeconfig
  readonly kubectl = program('kubectl')
  readonly helm = program('helm')
  readonly nodeAddress = NODE_ADDRESS
  readonly auditLog = paths.auditLog
  readonly faults: ControlPlaneFaults = {
    restartApiServer: () => withLock(LOCK, () => this.#restartApiServer()),
    cutOff,
  }

  async isUp(): Promise<boolean> {
    try {
      return await isNodeReady(await readIdentity())
    } catch {
      return false
    }
  }

  async up(progress: Progress): Promise<void> {
    requireRoot()
    await withLock(LOCK, () => this.#up(progress), {
      onWait: () => progress('waiting for another make up or down'),
    })
  }

  async loadImages(archives: readonly string[]): Promise<void> {
    await loadArchives(archives)
  }

  async down(progress: Progress = () => {}): Promise<void> {
    requireRoot()
    await withLock(LOCK, () => this.#down(progress), {
      onWait: () => progress('waiting for another make up or down'),
    })
  }

  async #up(progress: Progress): Promise<void> {
    await ensurePackages(nodePackages, progress)
    const programs = await buildPrograms(progress)
    if (await isOfEarlierBoot()) {
      progress('cleaning up what the last start of the machine left')
      await this.#endAll()
    }
    const hadState = (await readFile(paths.bootId, 'utf8').catch(() => '')) !== ''
    try {
      await this.#start(await makePlan(programs), progress)
      return
    } catch (error) {
      if (!hadState) throw error
      progress(`${messageOf(error).split(';', 1)[0]}: starting the node over`)
    }
    await this.#endAll()
    try {
      await this.#start(await makePlan(programs), progress)
      return
    } catch (error) {
      if (!(error instanceof ComponentError) || !isDataUnreadable(error)) throw error
      progress('etcd cannot read its data: starting over with an empty cluster')
    }
    await this.#down(progress)
    await this.#start(await makePlan(programs), progress)
  }

  async #start(plan: Plan, progress: Progress): Promise<void> {
    if (await isAllServing(plan)) return
    const startedMs = performance.now()
    await mkdir(DATA, { recursive: true, mode: 0o755 })
    await rememberHost()
    await prepareHost()
    await writeFiles(plan)
    const { stores, api, others } = plan.stages
    progress('etcd and containerd')
    await Promise.all(stores.map(ensureComponent))
    progress('API server, images of the node')
    const images = buildNodeImages(plan.programs).then(loadArchives)
    await Promise.all([...api.map(ensureComponent), images])
    progress('controllers, kubelet, proxy, network policies')
    await applyAddons(plan.addons, plan.identity)
    await Promise.all(others.map(ensureComponent))
    progress('waiting for the node, DNS and volumes')
    await untilReady(plan.identity)
    progress(`Kubernetes is up after ${spanOf(performance.now() - startedMs)}`)
  }

  async #restartApiServer(): Promise<void> {
    const { stages } = await makePlan(await buildPrograms(() => {}))
    for (const spec of stages.api) {
      await stopComponent(spec.name)
      await ensureComponent(spec)
    }
  }

  async #endAll(): Promise<void> {
    await endEverything()
    await removeNetwork()
    await rm(RUN, { recursive: true, force: true })
  }

  async #down(progress: Progress): Promise<void> {
    progress('stopping Kubernetes')
    await this.#endAll()
    await restoreHost()
    await rm(DATA, { recursive: true, force: true })
  }
}

/** True if etcd itself cannot start, for no reason that lies outside of its data. */
export function isDataUnreadable({
  component,
  logTail,
}: Pick<ComponentError, 'component' | 'logTail'>): boolean {
  const reasons =
    /address already in use|no space left|permission denied|read-only file system|cannot allocate memory/i
  return component === 'etcd' && !reasons.test(logTail)
}

function requireRoot(): void {
  if (process.platform === 'linux' && process.getuid?.() === 0) return
  throw new AppError(
    'forbidden',
    'ERR_CLUSTER_ROOT',
    'a Kubernetes of our own needs Linux and root: run as root, or use CLUSTER=kind (Docker and kind) or CLUSTER=current',
  )
}

async function makePlan(programs: string): Promise<Plan> {
  await ensureAuthority(paths.pki, Date.now())
  const identity = await readIdentity()
  const files = configurationFiles(CNI_PLUGINS)
  const nameServers = reachableNameServers(await readFile('/etc/resolv.conf', 'utf8').catch(() => ''))
  return {
    stages: await components({ kube: join(programs, 'kube'), containerd: CONTAINERD }, files, identity),
    files,
    nameServers,
    addons: await addonManifests(nameServers),
    programs,
    identity,
  }
}

async function readIdentity(): Promise<ClientIdentity> {
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'admin.crt', 'admin.key'].map((file) => readFile(join(paths.pki, file), 'utf8')),
  )
  return { ca: ca!, cert: cert!, key: key! }
}

/** True if processes, sockets and links noted in our folders are those of an earlier start of the machine. */
async function isOfEarlierBoot(): Promise<boolean> {
  const noted = await readFile(paths.bootId, 'utf8').catch(() => undefined)
  const hasData = (await readFile(paths.hostBefore, 'utf8').catch(() => undefined)) !== undefined
  return noted === undefined ? hasData : noted !== bootId()
}

async function isAllServing(plan: Plan): Promise<boolean> {
  const checks = [
    ...Object.values(plan.stages).flat().map(isServing),
    isHostPrepared(),
    areAddonsApplied(plan.addons, plan.identity),
    isNodeReady(plan.identity).catch(() => false),
  ]
  return (await Promise.all(checks)).every(Boolean)
}

async function writeFiles(plan: Plan): Promise<void> {
  for (const folder of [paths.config, paths.cni, paths.log])
    await mkdir(folder, { recursive: true, mode: 0o755 })
  for (const [name, text] of Object.entries(plan.files)) await writeFile(join(paths.config, name), text)
  await writeFile(join(paths.cni, '10-pods.conflist'), cniConfig)
  await writeFile(paths.resolvConf, plan.nameServers.map((address) => `nameserver ${address}\n`).join(''))
  for (const user of KUBECONFIG_USERS) await writeKubeconfig(paths.pki, user, join(paths.kubeconfig, user))
  await linkProgram('kubectl', join(plan.programs, 'kube'))
  await linkProgram('helm', join(plan.programs, 'helm'))
  await mkdir(paths.volumes, { recursive: true, mode: 0o755 })
  await prepareCgroups()
  await writeFile(paths.bootId, bootId())
}
