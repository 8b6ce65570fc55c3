import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, isIP, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: Record<string, unknown> & { readonly server: string } }[]
}

/** A line to the API server that can be cut and held, with a kubeconfig that goes through it. TLS stays end to end. */
export class CutProxy {
  readonly #server: Server
  /** Both ends of every line, from the moment on that they are there. */
  readonly #sockets = new Set<Socket>()
  readonly #silent = new WeakSet<Socket>()
  readonly #folder: string
  #refusing = false
  /** How long a new connection waits before anything goes through. */
  delayMs = 0

  private constructor(server: Server, folder: string) {
    this.#server = server
    this.#folder = folder
  }

  /** @param kubeconfig path of a kubeconfig with one cluster */
  static async open(kubeconfig: string): Promise<CutProxy> {
    const config = parse(await readFile(kubeconfig, 'utf8')) as Kubeconfig
    const target = new URL(config.clusters[0]!.cluster.server)
    const server = createServer()
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-proxy-'))
    const proxy = new CutProxy(server, folder)
    server.on('connection', (socket) => proxy.#forward(socket, target))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const clusters = config.clusters.map((entry) => ({
      ...entry,
      cluster: {
        ...(isIP(target.hostname) === 0 ? { 'tls-server-name': target.hostname } : {}),
        ...entry.cluster,
        server: `https://127.0.0.1:${port}`,
      },
    }))
    await writeFile(proxy.kubeconfig, stringify({ ...config, clusters }), { mode: 0o600 })
    return proxy
  }

  get kubeconfig(): string {
    return join(this.#folder, 'kubeconfig')
  }

  /** Cuts all that is open. New connections are let through. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** No connection gets through until `allow`. */
  refuse(): void {
    this.#refusing = true
    this.cut()
  }

  allow(): void {
    this.#refusing = false
  }

  /** What is open stays open and says nothing any more; new connections are let through. */
  silence(): void {
    for (const socket of this.#sockets) {
      this.#silent.add(socket)
      socket.unpipe().pause()
    }
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.cut()
    await closed
    await rm(this.#folder, { recursive: true })
  }

  #forward(socket: Socket, target: URL): void {
    if (this.#refusing) {
      socket.resetAndDestroy()
      return
    }
    this.#keep(socket)
    setTimeout(() => this.#join(socket, target), this.delayMs)
  }

  /** Joins a connection to the API server, unless it was cut or silenced before. */
  #join(socket: Socket, target: URL): void {
    if (socket.destroyed || this.#silent.has(socket)) return
    const upstream = connect(Number(target.port || 443), target.hostname)
    this.#keep(upstream)
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      one.on('close', () => other.destroy())
      one.pipe(other)
    }
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#sockets.delete(socket))
  }
}
