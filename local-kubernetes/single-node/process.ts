import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdir, open, readFile, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError, messageOf } from '../../common/errors.ts'
import { cacheKey } from '../../scripts/cache.ts'
import { isAlive, processIdentity } from '../../scripts/process-identity.ts'
import { spanOf } from '../../scripts/run.ts'
import { paths, program } from './layout.ts'

/** A program that runs on the host for as long as the cluster does. */
export interface ComponentSpec {
  /** Also the name of its link, log and pid file. */
  readonly name: string
  /** The file that the link leads to. */
  readonly binary: string
  readonly args: readonly string[]
  /** What else it depends on: another content is another process. */
  readonly inputs: readonly string[]
  /** Resolves if it serves. */
  readonly probe: () => Promise<void>
  readonly startTimeoutMs: number
}

/** A component that did not come up. */
export class ComponentError extends AppError {
  readonly component: string
  readonly logTail: string

  constructor(component: string, what: string, logTail: string, cause?: unknown) {
    super('unavailable', 'ERR_CLUSTER_COMPONENT', `${component} ${what}; the end of its log:\n${logTail}`, {
      cause,
    })
    this.component = component
    this.logTail = logTail
  }
}

interface PidFile {
  readonly identity: string
  readonly fingerprint: string
}

const PROBE_INTERVAL_MS = 100
/** A living process that answers nothing for so long is stuck. */
const STUCK_MS = 10_000
const STOP_MS = 5_000
const LOG_TAIL_BYTES = 4_096

const pidFileOf = (name: string) => join(paths.pid, name)
const logOf = (name: string) => join(paths.log, `${name}.log`)

/** True if it runs, was started just as `spec` says, and serves. */
export async function isServing(spec: ComponentSpec): Promise<boolean> {
  if (!(await isRunning(spec))) return false
  return spec.probe().then(
    () => true,
    () => false,
  )
}

/**
 * Lets what runs as it should run on, ends what does not, and starts what is missing.
 *
 * @throws ComponentError if it exits or does not serve in time
 */
export async function ensureComponent(spec: ComponentSpec): Promise<void> {
  if (await isRunning(spec)) {
    const stuckMs = performance.now() + STUCK_MS
    while (performance.now() < stuckMs && (await isRunning(spec))) {
      if (await isServing(spec)) return
      await sleep(PROBE_INTERVAL_MS)
    }
  }
  await stopComponent(spec.name)
  const identity = await start(spec)
  const startedMs = performance.now()
  for (;;) {
    try {
      await spec.probe()
      return
    } catch (error) {
      if (!isAlive(identity)) throw new ComponentError(spec.name, 'exited', await logTail(spec.name), error)
      if (performance.now() - startedMs > spec.startTimeoutMs) {
        const what = `does not serve after ${spanOf(spec.startTimeoutMs)} (${messageOf(error)})`
        throw new ComponentError(spec.name, what, await logTail(spec.name), error)
      }
    }
    await sleep(PROBE_INTERVAL_MS)
  }
}

/** Asks the component to end, and ends it if it does not. Whatever else has its number by now is left alone. */
export async function stopComponent(name: string): Promise<void> {
  const pidFile = await readPidFile(name)
  if (pidFile !== undefined) await endProcess(pidFile.identity)
  await rm(pidFileOf(name), { force: true })
}

/** The names of all components that have a pid file, whether they run or not. */
export async function startedComponents(): Promise<string[]> {
  return readdir(paths.pid).catch(() => [])
}

/** Ends this very process by one signal after the other; if it has ended already, nothing happens. */
export async function endProcess(
  identity: string,
  signals: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGKILL'],
): Promise<void> {
  const pid = Number(identity.split(' ', 1)[0])
  for (const signal of signals) {
    if (!isAlive(identity)) return
    try {
      process.kill(pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return
      throw error
    }
    const untilMs = performance.now() + STOP_MS
    while (isAlive(identity) && performance.now() < untilMs) await sleep(20)
  }
  if (isAlive(identity)) {
    throw new AppError('internal', 'ERR_CLUSTER_STOP', `process ${pid} does not end even by SIGKILL`)
  }
}

async function isRunning(spec: ComponentSpec): Promise<boolean> {
  const pidFile = await readPidFile(spec.name)
  return pidFile !== undefined && pidFile.fingerprint === fingerprintOf(spec) && isAlive(pidFile.identity)
}

function fingerprintOf(spec: ComponentSpec): string {
  return cacheKey([spec.binary, ...spec.args, '', ...spec.inputs])
}

async function start(spec: ComponentSpec): Promise<string> {
  for (const folder of [paths.bin, paths.log, paths.pid])
    await mkdir(folder, { recursive: true, mode: 0o700 })
  await linkProgram(spec.name, spec.binary)
  const log = logOf(spec.name)
  await rename(log, `${log}.previous`).catch(() => {})
  const descriptor = openSync(log, 'a', 0o600)
  try {
    const child = spawn(program(spec.name), spec.args, {
      detached: true,
      stdio: ['ignore', descriptor, descriptor],
      cwd: '/',
    })
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    child.unref()
    const identity = processIdentity(child.pid!) ?? `${child.pid} gone`
    const pidFile: PidFile = { identity, fingerprint: fingerprintOf(spec) }
    await writeFile(`${pidFileOf(spec.name)}.draft`, JSON.stringify(pidFile))
    await rename(`${pidFileOf(spec.name)}.draft`, pidFileOf(spec.name))
    return identity
  } finally {
    closeSync(descriptor)
  }
}

/** Every process is started by its link in our own folder: that is how one without a pid file is known as ours. */
export async function linkProgram(name: string, binary: string): Promise<void> {
  const link = program(name)
  if ((await readlink(link).catch(() => '')) === binary) return
  await mkdir(paths.bin, { recursive: true, mode: 0o755 })
  await symlink(binary, `${link}.draft`)
  await rename(`${link}.draft`, link)
}

async function readPidFile(name: string): Promise<PidFile | undefined> {
  try {
    return JSON.parse(await readFile(pidFileOf(basename(name)), 'utf8')) as PidFile
  } catch {
    return undefined
  }
}

async function logTail(name: string): Promise<string> {
  const file = await open(logOf(name)).catch(() => undefined)
  if (file === undefined) return '(it wrote nothing)'
  try {
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(LOG_TAIL_BYTES),
      position: Math.max(0, size - LOG_TAIL_BYTES),
    })
    return buffer.toString('utf8', 0, bytesRead).trim().split('\n').slice(-12).join('\n')
  } finally {
    await file.close()
  }
}
