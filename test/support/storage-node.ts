import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { request, type Dispatcher } from 'undici'
import { ensureDuckdbExtension } from '../../scripts/duckdb-extension.ts'

export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

/** A storage node as a process of its own. */
export interface NodeProcess {
  /** The port for clients. */
  readonly port: number
  /** The admin port; 0 for a node that runs alone. */
  readonly adminPort: number
  /** The port for metrics; 0 where the node was not told to have one. */
  readonly metricsPort: number
  /** Every line that it has logged. */
  readonly log: readonly LogLine[]
  /** Every line that it has written to standard error. */
  readonly errors: readonly string[]
  /** The exit code, once it has ended and its whole log was read; null after a signal. */
  readonly exited: Promise<number | null>
  readonly child: ChildProcess
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>
  /** SIGKILL. */
  kill(): Promise<void>
}

const startLimitMs = 60_000

/**
 * Starts a storage node and waits until it listens.
 * @param flags and environment, beside the DuckDB extension
 * @param command what starts it; out of this work tree if not given
 */
export async function startStorageNode(
  flags: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  command: readonly string[] = [process.execPath, 'storage-node/main.ts'],
): Promise<NodeProcess> {
  const child = spawn(command[0]!, [...command.slice(1), ...flags], {
    env: { ...process.env, HOLDFAST_DUCKDB_EXTENSION: await ensureDuckdbExtension(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  const closed = once(child, 'close') as Promise<[number | null]>
  const log: LogLine[] = []
  const errors: string[] = []
  const ports = new Map<string, number>()
  const started = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the storage node did not start in time')), startLimitMs)
    const settle = (error?: Error) => {
      clearTimeout(timer)
      if (error) reject(error)
      else resolve()
    }
    createInterface(child.stderr).on('line', (line) => errors.push(line))
    createInterface(child.stdout).on('line', (text) => {
      const line = JSON.parse(text) as LogLine
      log.push(line)
      if (line.msg === 'listening') ports.set(String(line['listener']), Number(line['port']))
      if (line.msg === 'listening' && line['listener'] === 'clients') settle()
    })
    void closed.then(([code]) => settle(new Error(`storage node exited with ${code}: ${errors.join('\n')}`)))
  })
  try {
    await started
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  return {
    child,
    port: ports.get('clients')!,
    adminPort: ports.get('admin') ?? 0,
    metricsPort: ports.get('metrics') ?? 0,
    log,
    errors,
    exited: closed.then(([code]) => code),
    async stop() {
      child.kill('SIGTERM')
      const [code] = await exited
      return code
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** Waits until the node has logged its line about a request: it does so once the answer has left. */
export async function untilLogged(node: NodeProcess, requestId: string): Promise<LogLine> {
  const deadlineMs = Date.now() + startLimitMs
  for (;;) {
    const line = node.log.find((found) => found.msg === 'request' && found['requestId'] === requestId)
    if (line) return line
    if (Date.now() > deadlineMs) throw new Error(`request ${requestId} was not logged`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Waits for `/ready`. @param dispatcher who speaks TLS with it; plain HTTP if not given */
export async function untilReady(port: number, dispatcher?: Dispatcher): Promise<void> {
  const deadlineMs = Date.now() + startLimitMs
  const url = `${dispatcher ? 'https' : 'http'}://127.0.0.1:${port}/ready`
  for (;;) {
    const { statusCode, body } = await request(url, dispatcher ? { dispatcher } : {})
    await body.dump()
    if (statusCode === 200) return
    if (Date.now() > deadlineMs) throw new Error(`not ready: ${statusCode}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
