import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { clientPort } from '../../common/admin-api.ts'
import { startStorageNode, type NodeProcess } from '../support/storage-node.ts'
import type { NodeSettings, StandInNode } from './storage-node-stand-in.ts'

/** A storage node as a process, for a pod that no kubelet runs; its volume is a folder for each organization. */
export class RealNode implements StandInNode {
  readonly #settings: NodeSettings
  readonly #folder: string
  #process: NodeProcess | null = null

  /** @param folder holds all volumes */
  constructor(settings: NodeSettings, folder: string) {
    this.#settings = settings
    this.#folder = join(folder, settings.organizationId)
  }

  async listen(host: string, port: number): Promise<void> {
    const { organizationId, installationId, certificatePem, privateKeyPem, authorityPem, dataKeys } =
      this.#settings
    const tls = join(this.#folder, 'tls')
    const keyFile = join(this.#folder, 'data-key')
    await mkdir(tls, { recursive: true })
    await writeFile(join(tls, 'tls.crt'), certificatePem)
    await writeFile(join(tls, 'tls.key'), privateKeyPem, { mode: 0o600 })
    await writeFile(join(tls, 'ca.crt'), authorityPem)
    await writeFile(keyFile, dataKeys, { mode: 0o600 })
    this.#process = await startStorageNode([], {
      HOLDFAST_ORGANIZATION_ID: organizationId,
      HOLDFAST_INSTALLATION_ID: installationId,
      HOLDFAST_DATA_DIR: join(this.#folder, 'data'),
      HOLDFAST_TLS_DIR: tls,
      HOLDFAST_DATA_KEY_FILE: keyFile,
      HOLDFAST_LISTEN: `${host}:${clientPort}`,
      HOLDFAST_ADMIN_LISTEN: `${host}:${port}`,
    })
  }

  async close(): Promise<void> {
    await this.#process?.stop()
  }

  get isReady(): boolean {
    return this.said('state document in force') || this.said('serving the kept state document')
  }

  /** Whether it has logged this. */
  said(message: string): boolean {
    return this.#process?.log.some(({ msg }) => msg === message) ?? false
  }
}
