import { spawn, type ChildProcess } from 'node:child_process'
import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { createProcessGroup, type ProcessGroup } from './process-group.ts'

export type ServerName = 'holdfast' | 'influxdb' | 'victoriametrics'

/** How a server is started; one for ours and one for each peer. */
export interface ServerKind {
  readonly name: ServerName
  readonly title: string
  readonly version: string
  /** What it does before it answers a write. */
  readonly durability: string
  readonly readyPath: string
  /** Writes what the program needs into `folder`, and says how to start it. */
  command(folder: string, port: number, settings: ServerSettings): Promise<Command>
  /** Sent with every request; asked after each start. */
  headers(folder: string): Promise<Readonly<Record<string, string>>>
  /** False where a database comes to be by writing to it. */
  readonly createsDatabases: boolean
  /** The folder that holds all points, under the folder given to `command`. */
  readonly dataFolder: string
  /** The folder of the write-ahead log; null where there is none. */
  readonly logFolder: string | null
  /** A file that only keeps room on the disk and is not counted. */
  readonly reserve: string | null
  /** Makes background merging finish: returns, maybe after a restart, when the files are as small as they get. */
  compact(server: Server): Promise<Server>
}

export interface ServerSettings {
  readonly memoryLimitBytes: number | null
  /** Merge files soon rather than by the server's defaults, so that their final size can be measured. */
  readonly eagerCompaction: boolean
}

export interface Server {
  readonly kind: ServerKind
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** null where it has none that we read. */
  readonly metricsUrl: string | null
  readonly group: ProcessGroup
  readonly folder: string
  readonly pid: number
  /** From the start of the program to its first answer that it is ready. */
  readonly startMs: number
  alive(): boolean
  /** The end of what it wrote to its outputs. */
  lastWords(): Promise<string>
  send(method: 'GET' | 'POST', path: string, body?: string): Promise<string>
  createDatabase(name: string): Promise<void>
  /** Nothing where there are no databases. */
  dropDatabase(name: string): Promise<void>
  diskBytes(): Promise<number>
  logBytes(): Promise<number>
  /** Ends the program and starts it again over the same data. */
  restart(signal: 'SIGTERM' | 'SIGKILL', settings?: ServerSettings): Promise<Server>
  /** Ends it and removes its data. */
  dispose(): Promise<void>
}

const readyLimitMs = 60_000

export async function startServer(
  kind: ServerKind,
  folder: string,
  settings: ServerSettings,
): Promise<Server> {
  await mkdir(folder, { recursive: true })
  const group = await createProcessGroup(kind.name, settings.memoryLimitBytes)
  return start(kind, folder, group, settings)
}

async function start(
  kind: ServerKind,
  folder: string,
  group: ProcessGroup,
  settings: ServerSettings,
): Promise<Server> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const startedMs = performance.now()
  const output = join(folder, 'output')
  const command = await kind.command(folder, port, settings)
  const child = await launch(command, group, output)
  const lastWords = async () => (await readFile(output, 'utf8')).slice(-1_000)
  const { startMs, headers } = await started(child, async () => {
    await untilReady(child, `${url}${kind.readyPath}`).catch(async (error: unknown) => {
      throw new Error(`${kind.title}: ${await lastWords()}`, { cause: error })
    })
    return { startMs: performance.now() - startedMs, headers: await kind.headers(folder) }
  })
  const send = (method: 'GET' | 'POST', path: string, body?: string) =>
    sendTo(url, method, path, headers, body)
  const databaseStatement = async (q: string): Promise<void> => {
    if (kind.createsDatabases) await send('POST', `/query?${new URLSearchParams({ q }).toString()}`)
  }
  return {
    kind,
    url,
    headers,
    metricsUrl: command.metricsUrl ?? null,
    group,
    folder,
    startMs,
    pid: child.pid!,
    lastWords,
    alive: () => child.exitCode === null && child.signalCode === null,
    send,
    createDatabase: (name) => databaseStatement(`CREATE DATABASE ${name}`),
    dropDatabase: (name) => databaseStatement(`DROP DATABASE ${name}`),
    diskBytes: () => folderBytes(join(folder, kind.dataFolder), kind.reserve),
    logBytes: async () => (kind.logFolder === null ? 0 : folderBytes(join(folder, kind.logFolder), null)),
    async restart(signal, other = settings) {
      await end(child, signal)
      return start(kind, folder, group, other)
    },
    async dispose() {
      await end(child, 'SIGKILL')
      await group.remove()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Where it serves Prometheus metrics of its own. */
  readonly metricsUrl?: string
}

/** Through a shell where there is a memory group, so that the program is in it from its first page on. */
async function launch(command: Command, group: ProcessGroup, output: string): Promise<ChildProcess> {
  const line = [command.program, ...command.args]
  const [program, ...args] =
    group.joinFile === null ? line : ['sh', '-c', 'echo $$ > "$0" && exec "$@"', group.joinFile, ...line]
  const file = await open(output, 'a')
  try {
    const env = { ...process.env, ...command.env }
    return spawn(program!, args, { env, stdio: ['ignore', file.fd, file.fd] })
  } finally {
    await file.close()
  }
}

/** A server that does not come up is not left behind. */
async function started<T>(child: ChildProcess, wait: () => Promise<T>): Promise<T> {
  try {
    return await wait()
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  const deadlineMs = performance.now() + readyLimitMs
  while (performance.now() < deadlineMs) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`)
    const ready = await request(url)
      .then(async ({ statusCode, body }) => (await body.dump(), statusCode < 300))
      .catch(() => false)
    if (ready) return
    await sleep(5)
  }
  throw new Error(`it is not ready after ${readyLimitMs / 1000} s`)
}

async function sendTo(
  url: string,
  method: 'GET' | 'POST',
  path: string,
  headers: Readonly<Record<string, string>>,
  body?: string,
): Promise<string> {
  const response = await request(url + path, { method, headers, body: body ?? null, bodyTimeout: 120_000 })
  const text = await response.body.text()
  if (response.statusCode >= 300)
    throw new Error(`${method} ${path.slice(0, 200)}: ${response.statusCode} ${text.slice(0, 500)}`)
  return text
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await gone
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

/** Blocks that the files take, so that what was reserved and not written does not count; a file that goes meanwhile counts 0. */
async function folderBytes(folder: string, reserve: string | null): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const counted = names.filter((name) => basename(name) !== reserve)
  const found = await Promise.all(counted.map((name) => stat(join(folder, name)).catch(() => null)))
  return found.reduce((sum, each) => sum + (each?.isFile() ? each.blocks * 512 : 0), 0)
}
