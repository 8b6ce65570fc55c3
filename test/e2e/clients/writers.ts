import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ensurePythonPackages } from '../../support/python-packages.ts'
import { clientPackages } from './python.ts'

export interface WriterSettings {
  readonly token: string
  readonly org: string
  readonly bucket: string
}

/** What became of a batch, for now where it is retried. */
export interface BatchOutcome {
  /** Index of the writer. */
  readonly writer: number
  readonly outcome: 'acknowledged' | 'retried' | 'given up'
  /** Of its points. */
  readonly sequences: readonly number[]
  /** What the client made of the refusal. */
  readonly why?: string
}

const keptErrorBytes = 16_384
/** The client's own limit for what it does at its end. */
const closeMs = 300_000

/** Applications with the official v2 client for Python and the retries that it does by itself, all in one process. */
export class OfficialWriters {
  readonly #process: ChildProcessWithoutNullStreams
  readonly #ended: Promise<unknown>
  #errors = ''

  /**
   * @param ca file with the authority of the gateway's certificate
   * @param onOutcome called for every batch that was acknowledged or given up, and for every retry
   */
  static async start(
    settings: { readonly url: string; readonly ca: string; readonly writers: readonly WriterSettings[] },
    onOutcome: (outcome: BatchOutcome) => void,
  ): Promise<OfficialWriters> {
    const folder = await ensurePythonPackages('python-clients', clientPackages)
    return new OfficialWriters(folder, JSON.stringify(settings), onOutcome)
  }

  private constructor(packages: string, settings: string, onOutcome: (outcome: BatchOutcome) => void) {
    const program = join(import.meta.dirname, 'writer.py')
    this.#process = spawn('python3', [program], { env: { ...process.env, PYTHONPATH: packages } })
    this.#ended = once(this.#process, 'close')
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-keptErrorBytes)
    })
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      onOutcome(JSON.parse(line) as BatchOutcome)
    })
    // A process that has ended says so at `close`.
    this.#process.stdin.on('error', () => undefined)
    this.#process.stdin.write(`${settings}\n`)
  }

  write(writer: number, lines: readonly string[]): void {
    this.#process.stdin.write(`${JSON.stringify({ writer, lines })}\n`)
  }

  /**
   * Waits until all is acknowledged or given up, and every outcome was told.
   * @throws Error where the process fails or does not come to its end
   */
  async close(): Promise<void> {
    this.#process.stdin.end()
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), closeMs)
    await this.#ended
    clearTimeout(timer)
    if (this.#process.exitCode !== 0) throw new Error(`the official client failed: ${this.#errors}`)
  }
}
