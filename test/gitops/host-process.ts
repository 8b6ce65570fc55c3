import { spawn, type ChildProcess } from 'node:child_process'
import { openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** A program of somebody else's beside the tests, with all that it says in a file. */
export class HostProcess {
  readonly #child: ChildProcess
  readonly #logFile: string
  readonly #ended: Promise<unknown>

  constructor(
    program: string,
    args: readonly string[],
    logFile: string,
    env: Readonly<Record<string, string>> = {},
  ) {
    const output = openSync(logFile, 'a')
    this.#logFile = logFile
    this.#child = spawn(program, args, {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
      stdio: ['ignore', output, output],
    })
    this.#ended = new Promise((resolve) => this.#child.once('exit', resolve))
  }

  log(): Promise<string> {
    return readFile(this.#logFile, 'utf8')
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGTERM')
    const overdue = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    await this.#ended
    clearTimeout(overdue)
  }
}
