import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { billOfMaterials, type Materials } from './bill-of-materials.ts'

// The bill of an image names all that is in it, by what scanners know it by, and nothing else; the same image has the same.

const materials: Materials = {
  name: 'holdfast-storage-node',
  packages: ['node_modules/pino', 'node_modules/@duckdb/node-api', 'node_modules/pino'],
  systemPackages: 'libc6_2.36-9+deb12u14_amd64.deb\nlibstdc++6_1%3a12.2.0-14_amd64.deb',
  distribution: 'debian',
  hasDuckdbExtension: true,
}

interface Bill {
  readonly metadata: { readonly component: { readonly name: string } }
  readonly components: readonly {
    readonly 'bom-ref': string
    readonly name: string
    readonly version: string
    readonly purl: string
    readonly cpe?: string
    readonly hashes?: readonly { readonly alg: string; readonly content: string }[]
  }[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
}

const billOf = async (given: Materials) => JSON.parse(await billOfMaterials(given)) as Bill

describe('a bill of materials', () => {
  test('names what is in the image once, and nothing else', async () => {
    const { components, metadata } = await billOf(materials)
    expect(metadata.component.name).toBe('holdfast-storage-node')
    expect(components.map(({ name }) => name).toSorted()).toEqual([
      '@duckdb/node-api',
      'duckdb-extension-httpfs',
      'libc6',
      'libstdc++6',
      'node',
      'pino',
    ])
  })

  test('has the versions and hashes of the lock file, and addresses that scanners look up', async () => {
    const lock = JSON.parse(await readFile(join(import.meta.dirname, '../package-lock.json'), 'utf8')) as {
      packages: Record<string, { version: string; integrity: string }>
    }
    const { components } = await billOf(materials)
    for (const name of ['pino', '@duckdb/node-api', 'node']) {
      const { version, integrity } = lock.packages[`node_modules/${name}`]!
      const found = components.find((component) => component.name === name)!
      expect(found.version).toBe(version)
      expect(found.purl).toBe(`pkg:npm/${name.replace('@', '%40')}@${version}`)
      const digest = Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex')
      expect(found.hashes).toEqual([{ alg: 'SHA-512', content: digest }])
    }
    const purls = components.map(({ purl }) => purl)
    expect(purls).toContain('pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64')
    expect(purls).toContain('pkg:deb/debian/libstdc%2B%2B6@1%3A12.2.0-14?arch=amd64')
    expect(components.find(({ name }) => name === 'node')?.cpe).toMatch(/^cpe:2\.3:a:nodejs:node\.js:24\./)
  })

  test('speaks of no part that is not in it, and is the same each time', async () => {
    const { components, dependencies } = await billOf(materials)
    const references = new Set(components.map((component) => component['bom-ref']))
    for (const { dependsOn } of dependencies)
      expect(dependsOn.filter((reference) => !references.has(reference))).toEqual([])
    expect(await billOfMaterials(materials)).toBe(await billOfMaterials(materials))
  })

  test('is refused for a package that the lock file does not name', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-bill-'))
    await writeFile(join(folder, 'package.json'), '{"name":"stranger","version":"1.0.0"}')
    const packages = [relative(join(import.meta.dirname, '..'), folder)]
    await expect(billOf({ ...materials, packages })).rejects.toThrow('does not name stranger@1.0.0')
    await rm(folder, { recursive: true })
  })
})
