import type { Clock } from '../../common/clock.ts'
import type { Component } from '../../common/lifecycle.ts'
import type { TlsMaterial, TlsSource } from '../../common/tls.ts'
import type { ClientIdentity } from '../node-client/peer.ts'

const lookEveryMs = 10_000

/** The operator's own identity, which is in no file, for its listener: looked at again and again, since it is renewed. */
export class OwnTls implements Component, TlsSource {
  readonly name = 'own identity'
  readonly #identity: () => ClientIdentity
  readonly #clock: Clock
  readonly #listeners: ((material: TlsMaterial) => void)[] = []
  readonly #stopped = new AbortController()
  #looking: Promise<void> = Promise.resolve()

  constructor(identity: () => ClientIdentity, clock: Clock) {
    this.#identity = identity
    this.#clock = clock
  }

  get material(): TlsMaterial {
    const { certificatePem, privateKeyPem, authorityPem } = this.#identity()
    return {
      certificate: Buffer.from(certificatePem),
      key: Buffer.from(privateKeyPem),
      authority: Buffer.from(authorityPem),
    }
  }

  onChange(listener: (material: TlsMaterial) => void): void {
    this.#listeners.push(listener)
  }

  async start(): Promise<void> {
    this.#looking = this.#look()
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#looking
  }

  async #look(): Promise<void> {
    let known = this.#identity()
    while (!this.#stopped.signal.aborted) {
      await this.#clock.sleep(lookEveryMs, this.#stopped.signal).catch(() => undefined)
      if (this.#identity() === known) continue
      known = this.#identity()
      for (const listener of this.#listeners) listener(this.material)
    }
  }
}
