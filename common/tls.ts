import { readFile } from 'node:fs/promises'
import path from 'node:path'
import {
  createSecureContext,
  type DetailedPeerCertificate,
  type PeerCertificate,
  type TLSSocket,
} from 'node:tls'
import type { Clock } from './clock.ts'
import { AppError } from './errors.ts'
import { identitiesOf } from './identity.ts'
import type { Component } from './lifecycle.ts'
import type { Logger } from './log.ts'

/** What a component needs to prove who it is and to check others. PEM. */
export interface TlsMaterial {
  readonly certificate: Buffer
  readonly key: Buffer
  /** The authority of the installation; null where a listener serves people only and asks nobody for a certificate. */
  readonly authority: Buffer | null
}

/** Material that is renewed while it is in use. */
export interface TlsSource {
  readonly material: TlsMaterial
  /** Calls `listener` whenever other material comes into force. */
  onChange(listener: (material: TlsMaterial) => void): void
}

/**
 * What every TLS connection of Holdfast is held to: 1.2 or 1.3, and with 1.2 only suites with forward secrecy and
 * authenticated encryption.
 */
export const tlsPolicy = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: [
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'TLS_AES_128_GCM_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
} as const

/** The options of Node's TLS for some material under the policy. */
export function tlsOptions(material: TlsMaterial) {
  return {
    ...tlsPolicy,
    cert: material.certificate,
    key: material.key,
    ...(material.authority && { ca: material.authority }),
  }
}

/** Does the peer's certificate, whose chain TLS has checked, carry exactly this one identity? */
export function carriesExactly(
  certificate: PeerCertificate | DetailedPeerCertificate,
  expected: string,
): boolean {
  const identities = identitiesOf(certificate.subjectaltname)
  return identities.length === 1 && identities[0] === expected
}

export type PeerStanding = 'expected' | 'anonymous' | 'refused'

/** Who is at the other end of a connection that we accepted, when only `expected` may present a certificate. */
export function peerStanding(socket: TLSSocket, expected: string): PeerStanding {
  const certificate = socket.getPeerCertificate()
  if (Object.keys(certificate).length === 0) return 'anonymous'
  return socket.authorized && carriesExactly(certificate, expected) ? 'expected' : 'refused'
}

async function readMaterial(directory: string, withAuthority: boolean): Promise<TlsMaterial> {
  const [certificate, key, authority] = await Promise.all([
    readFile(path.join(directory, 'tls.crt')),
    readFile(path.join(directory, 'tls.key')),
    withAuthority ? readFile(path.join(directory, 'ca.crt')) : null,
  ])
  const material = { certificate, key, authority }
  createSecureContext(tlsOptions(material)) // A key that is not the certificate's is refused here.
  return material
}

const sameMaterial = (a: TlsMaterial, b: TlsMaterial): boolean =>
  a.certificate.equals(b.certificate) &&
  a.key.equals(b.key) &&
  (a.authority === null ? b.authority === null : b.authority !== null && a.authority.equals(b.authority))

/**
 * A mounted folder with tls.crt, tls.key and ca.crt that is looked at again and again: certificates are renewed while
 * the process runs. Kubernetes swaps such a folder by a symbolic link, which file watches miss, so this polls. Files
 * that do not fit together, as seen in the middle of a swap, leave what was read before in force.
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
  #polling: Promise<void> = Promise.resolve()

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
    this.#pollMs = settings.pollMs ?? 10_000
  }

  /** @throws AppError invalid, ERR_TLS_FILES, when the files are missing or do not fit together */
  async start(): Promise<void> {
    try {
      this.#material = await readMaterial(this.#directory, this.#withAuthority)
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

  /** Calls `listener` whenever other material comes into force. */
  onChange(listener: (material: TlsMaterial) => void): void {
    this.#listeners.push(listener)
  }

  /** Looks at the files once. @returns whether other material came into force */
  async refresh(): Promise<boolean> {
    const material = await readMaterial(this.#directory, this.#withAuthority)
    if (sameMaterial(material, this.material)) return false
    this.#material = material
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
        if (await this.refresh()) this.#log.info({ directory: this.#directory }, 'certificates reloaded')
      } catch (error) {
        this.#log.warn({ err: error, directory: this.#directory }, 'certificates not reloaded')
      }
    }
  }
}
