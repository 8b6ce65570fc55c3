import { dataKeyId } from '../../common/data-key.ts'
import type { AppError } from '../../common/errors.ts'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import type { Condition } from '../../operator/api/conditions.ts'
import type { Organization } from '../../operator/api/organization.ts'
import { keyLockOf } from '../../operator/desired/customer-key.ts'
import { storedDataKeys } from '../../operator/desired/secrets.ts'
import { resources } from '../../operator/kube/resource.ts'
import { secretNames } from '../../operator/naming/names.ts'
import { TenantWorld, namespace } from './tenant-world.ts'

export const keySecretRef = { name: 'mine', key: 'key' }

/** A tenant in memory, and what its customer does with the key that it holds. */
export class Customer {
  readonly world = new TenantWorld()
  runtime = ''

  async create(spec: object = { encryption: { keySecretRef } }): Promise<this> {
    const made = await this.world.create('Organization', 'acme', spec)
    this.runtime = runtimeNamespace(idOfUid(made.metadata.uid!))
    return this
  }

  async put(key: Uint8Array, entry = 'key'): Promise<void> {
    await this.take()
    const data = { [entry]: Buffer.from(key).toString('base64') }
    await this.world.kube.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'mine', namespace },
      data,
    })
  }

  async take(): Promise<void> {
    const found = this.world.get(resources.secrets, 'mine')
    if (found) await this.world.kube.delete(found)
  }

  refer(to: object | null): Promise<void> {
    return this.world.edit(resources.organizations, 'acme', { encryption: { keySecretRef: to } })
  }

  /** Passes, 11 s apart. */
  async passes(count: number): Promise<void> {
    for (let round = 0; round < count; round += 1) {
      this.world.clock.jump(11_000)
      await this.world.pass()
      await this.world.cluster()
    }
  }

  get status(): NonNullable<Organization['status']> {
    return this.world.get(resources.organizations, 'acme')!['status'] as NonNullable<Organization['status']>
  }

  condition(type: string): Condition | undefined {
    return this.status.conditions.find((condition) => condition.type === type)
  }

  get secret() {
    return this.world.get(resources.secrets, secretNames.dataKey, this.runtime)!
  }

  get storedIds(): readonly string[] {
    return keyLockOf(this.secret) ? [] : storedDataKeys(this.secret).keys.map(dataKeyId)
  }

  /** All that the operator ever wrote. */
  get everWritten(): string {
    return JSON.stringify(
      this.world.kube.world.history.flatMap(({ event: { object } }) =>
        object.metadata.name === 'mine' ? [] : [object],
      ),
    )
  }

  /** What a request to the API server about the customer's Secret is answered, until it is called again. */
  answer(error: AppError | null): void {
    const { world } = this.world.kube
    this.#intercept ??= world.intercept
    const usual = this.#intercept
    world.intercept = (call) => {
      if (error && call === 'get secrets mine') throw error
      usual(call)
    }
  }
  #intercept: ((call: string) => void) | null = null
}
