import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, type TestCluster } from '../support/kubernetes.ts'
import { ownDatabase, tokenYaml } from '../support/own-tenant.ts'
import { tenantOf, type Tenant } from '../support/tenant.ts'
import { refusals } from './questions.ts'

const makePauseMs = 2_000
const usePauseMs = 300
const aliveMs = 30_000

/** Makes Tokens and deletes them, and goes on using the strings of those that are gone. */
export class Revocations {
  readonly #cluster: TestCluster
  readonly #namespace: string
  readonly #dead: Tenant[] = []
  readonly #violations: string[] = []
  readonly #ended = new AbortController()
  readonly #loops: Promise<unknown>

  constructor(cluster: TestCluster, namespace: string) {
    this.#cluster = cluster
    this.#namespace = namespace
    this.#loops = Promise.all([this.#revokeOnAndOn(), this.#useOnAndOn()])
  }

  /** Tokens that have worked and were deleted. */
  get revoked(): number {
    return this.#dead.length
  }

  /** What a string opened whose Token was gone. */
  get violations(): readonly string[] {
    return this.#violations
  }

  /** No more are made. */
  async end(): Promise<void> {
    this.#ended.abort()
    await this.#loops
  }

  /** Uses every string once more, where each must be answered. */
  async useAll(): Promise<void> {
    for (const tenant of this.#dead)
      await eventually('a revoked token is answered', aliveMs, () => this.#use(tenant))
  }

  async #revokeOnAndOn(): Promise<void> {
    for (let turn = 0; !this.#ended.signal.aborted; turn++) {
      // What meets a fault is no revocation; the Token stays, or goes later.
      await this.#revoke(`revoked-${turn}`).catch(() => undefined)
      await sleep(makePauseMs)
    }
  }

  async #revoke(name: string): Promise<void> {
    const cluster = this.#cluster
    const token = [`token.holdfast.dev/${name}`, '--namespace', this.#namespace]
    await cluster.apply(tokenYaml(this.#namespace, name))
    await cluster.kubectl(['wait', ...token, '--for=condition=Ready', '--timeout=30s'])
    const tenant = await tenantOf(cluster, this.#namespace, name)
    await eventually('the token works', aliveMs, async () => (await show(tenant)).status === 200)
    await cluster.kubectl(['delete', ...token, '--timeout=60s'])
    this.#dead.push(tenant)
  }

  async #useOnAndOn(): Promise<void> {
    for (let turn = 0; !this.#ended.signal.aborted; turn++) {
      const tenant = this.#dead[turn % Math.max(1, this.#dead.length)]
      if (tenant) await this.#use(tenant).catch(() => undefined)
      await sleep(usePauseMs)
    }
  }

  /** @returns whether it was answered */
  async #use(tenant: Tenant): Promise<boolean> {
    const { status, body } = await show(tenant)
    if (refusals.includes(status)) return false
    if (status !== 401) this.#violations.push(`${status} ${body.slice(0, 500)}`)
    return true
  }
}

const show = (tenant: Tenant) =>
  tenant.send('/query', { method: 'GET', query: { db: ownDatabase, q: 'SHOW MEASUREMENTS' } })
