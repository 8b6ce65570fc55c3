import type { Clock } from './clock.ts'
import { AppError, messageOf } from './errors.ts'
import type { Component } from './lifecycle.ts'
import type { Logger } from './log.ts'
import { certificateEndMs, materialProblem, mountedVersion, readTlsFiles, requireFit } from './tls-files.ts'
import type { TlsMaterial, TlsSource } from './tls.ts'

/** The same trouble is told again after this time. */
const tellEveryMs = 600_000

/** How often files were looked at, since the start, and with what success. */
export interface TlsDirectoryCounts {
  readonly reloads: number
  readonly failures: number
}

const sameMaterial = (a: TlsMaterial, b: TlsMaterial): boolean =>
  a.certificate.equals(b.certificate) &&
  a.key.equals(b.key) &&
  (a.authority === null ? b.authority === null : b.authority !== null && a.authority.equals(b.authority))

/**
 * A mounted folder with tls.crt, tls.key and ca.crt that is looked at again and again: certificates are renewed while
 * the process runs. Kubernetes swaps such a folder by a symbolic link, which file watches miss, so this polls. Files
 * that do not fit together, or that peers would refuse, leave what was read before in force.
 */
export class TlsDirectory implements Component, TlsSource {
  readonly name = 'certificates'
  readonly #directory: string
  readonly #withAuthority: boolean
  readonly #clock: Clock
  readonly #log: Logger
  readonly #pollMs: number
  readonly #listeners: ((material: TlsMaterial) => void)[] = []
  readonly #stopped = new AbortController()
  #material: TlsMaterial | null = null
  /** Where it was read, of a mounted Secret. */
  #version: string | null = null
  #polling: Promise<void> = Promise.resolve()
  #reloads = 0
  #failures = 0
  #told = { reason: '', atMs: Number.NEGATIVE_INFINITY }

  constructor(settings: {
    readonly directory: string
    readonly withAuthority: boolean
    readonly clock: Clock
    readonly log: Logger
    readonly pollMs?: number
  }) {
    this.#directory = settings.directory
    this.#withAuthority = settings.withAuthority
    this.#clock = settings.clock
    this.#log = settings.log
    this.#pollMs = settings.pollMs ?? 1_000
  }

  /** @throws AppError invalid, ERR_TLS_FILES, when the files are missing or do not fit together */
  async start(): Promise<void> {
    try {
      const version = await mountedVersion(this.#directory)
      const material = await readTlsFiles(this.#directory, this.#withAuthority, version)
      requireFit(material)
      this.#material = material
      this.#version = version
    } catch (error) {
      throw new AppError(
        'invalid',
        'ERR_TLS_FILES',
        `${this.#directory} must hold ${this.#withAuthority ? 'tls.crt, tls.key and ca.crt' : 'tls.crt and tls.key'} that fit together`,
        { cause: error },
      )
    }
    this.#polling = this.#poll()
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#polling
  }

  get material(): TlsMaterial {
    if (!this.#material)
      throw new AppError('internal', 'ERR_TLS_NOT_STARTED', 'certificates are not read yet')
    return this.#material
  }

  /** When the certificate in force ends, milliseconds; null before the start. */
  get endMs(): number | null {
    return this.#material && certificateEndMs(this.#material)
  }

  get counts(): TlsDirectoryCounts {
    return { reloads: this.#reloads, failures: this.#failures }
  }

  onChange(listener: (material: TlsMaterial) => void): void {
    this.#listeners.push(listener)
  }

  /** Looks at the files once. @returns whether other material came into force @throws what keeps it from that */
  async refresh(): Promise<boolean> {
    const version = await mountedVersion(this.#directory)
    if (version !== null && version === this.#version) return false
    const material = await readTlsFiles(this.#directory, this.#withAuthority, version)
    if (sameMaterial(material, this.material)) {
      this.#version = version
      return false
    }
    requireFit(material)
    const problem = materialProblem(material, this.#clock.nowMs())
    if (problem) throw problem
    this.#material = material
    this.#version = version
    this.#reloads += 1
    for (const listener of this.#listeners) listener(material)
    return true
  }

  async #poll(): Promise<void> {
    for (;;) {
      try {
        await this.#clock.sleep(this.#pollMs, this.#stopped.signal)
      } catch {
        return // Stopped.
      }
      try {
        const isNew = await this.refresh()
        this.#told = { reason: '', atMs: Number.NEGATIVE_INFINITY }
        if (isNew) this.#log.info(this.#facts(), 'certificates reloaded')
      } catch (error) {
        this.#failures += 1
        this.#tell(messageOf(error))
      }
    }
  }

  #tell(reason: string): void {
    const atMs = this.#clock.monotonicMs()
    if (reason === this.#told.reason && atMs - this.#told.atMs < tellEveryMs) return
    this.#told = { reason, atMs }
    this.#log.warn({ ...this.#facts(), reason }, 'certificates not reloaded: those read before stay in force')
  }

  #facts() {
    return { directory: this.#directory, endsAt: new Date(this.endMs ?? 0).toISOString() }
  }
}
