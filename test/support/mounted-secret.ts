import { mkdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A folder with a Secret in it, as the kubelet mounts one and swaps it for a newer version. */
export class MountedSecret {
  readonly folder: string
  #versions = 0
  #text = ''

  constructor(folder: string) {
    this.folder = folder
  }

  /** @param data file names and contents @returns whether it was something new */
  async show(data: Readonly<Record<string, string>>): Promise<boolean> {
    const text = JSON.stringify(data)
    if (text === this.#text) return false
    this.#text = text
    this.#versions += 1
    const version = `..version_${this.#versions}`
    await mkdir(join(this.folder, version), { recursive: true })
    for (const [name, content] of Object.entries(data))
      await writeFile(join(this.folder, version, name), content, { mode: 0o600 })
    const link = join(this.folder, '..data')
    const old = await readlink(link).catch(() => null)
    await symlink(version, `${link}_tmp`)
    await rename(`${link}_tmp`, link)
    for (const name of Object.keys(data))
      await symlink(join('..data', name), join(this.folder, name)).catch(() => undefined)
    if (old !== null) await rm(join(this.folder, old), { recursive: true })
    return true
  }
}
