import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

const acceptedMs = 200
const queueLimit = 16

/**
 * A way to a port on which packets get lost, as they do on the way to an address without a pod: who listens at its
 * beginning is stopped and has a full queue, so the kernel drops what comes next.
 */
export class LostPackets {
  readonly port: number
  readonly #process: ChildProcess
  readonly #queued: Socket[] = []

  private constructor(port: number, process: ChildProcess) {
    this.port = port
    this.#process = process
  }

  static async onTheWayTo(host: string, port: number): Promise<LostPackets> {
    const program = join(import.meta.dirname, 'pass-on.ts')
    const child = spawn(process.execPath, [program, host, String(port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
    const lost = new LostPackets(Number(line), child)
    child.kill('SIGSTOP')
    await lost.#fill(host)
    return lost
  }

  async #fill(host: string): Promise<void> {
    for (let tries = 0; tries < queueLimit; tries += 1) {
      const socket = connect(this.port, host).on('error', () => undefined)
      this.#queued.push(socket)
      await Promise.race([once(socket, 'connect'), sleep(acceptedMs)])
      // After a stall the time is over before it is heard of who was accepted.
      await new Promise((resolve) => setTimeout(resolve))
      if (socket.connecting) return
    }
    throw new Error(`${queueLimit} connections are accepted by nobody, and more would be`)
  }

  /** From here on what comes gets through. */
  end(): void {
    for (const socket of this.#queued.splice(0)) socket.destroy()
    this.#process.kill('SIGCONT')
  }

  async close(): Promise<void> {
    this.end()
    const ended = once(this.#process, 'close')
    this.#process.kill('SIGKILL')
    await ended
  }
}
