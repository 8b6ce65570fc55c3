import type { OwnSecrets, StoredSecret } from '../../operator/authority/secrets.ts'

/** Secrets as the API server keeps them: create fails when there is one, replace when another version is there. */
export class MemorySecrets implements OwnSecrets {
  readonly stored = new Map<string, StoredSecret>()
  writes = 0
  beforeCreate: (() => void) | null = null

  async read(name: string): Promise<StoredSecret | null> {
    return this.stored.get(name) ?? null
  }

  async create(name: string, _type: string, data: Readonly<Record<string, string>>): Promise<boolean> {
    this.beforeCreate?.()
    if (this.stored.has(name)) return false
    this.put(name, data)
    return true
  }

  async replace(name: string, read: StoredSecret, data: Readonly<Record<string, string>>): Promise<boolean> {
    if (this.stored.get(name)?.resourceVersion !== read.resourceVersion) return false
    this.put(name, data)
    return true
  }

  put(name: string, data: Readonly<Record<string, string>>): void {
    this.writes += 1
    this.stored.set(name, { resourceVersion: String(this.writes), data })
  }
}
