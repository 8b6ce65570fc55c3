import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { version } from '../common/version.ts'
import { duckdbVersion } from './duckdb-extension.ts'
import { run } from './run.ts'

/** What an image holds, as far as its bill of materials names it. */
export interface Materials {
  /** Of the image: `holdfast`. */
  readonly name: string
  /** Folders of packages from the repository's root, copied or bundled. */
  readonly packages: readonly string[]
  /** Names of package files of Debian or Ubuntu, a line each: `libc6_2.36-9_amd64.deb`. */
  readonly systemPackages: string
  /** `ID` in `/etc/os-release`. */
  readonly distribution: string
  readonly hasDuckdbExtension: boolean
}

const root = join(import.meta.dirname, '..')

const componentSchema = z.looseObject({ 'bom-ref': z.string(), name: z.string() })
const documentSchema = z.looseObject({
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.string(),
  components: z.array(componentSchema),
  dependencies: z.array(z.object({ ref: z.string(), dependsOn: z.array(z.string()).default([]) })),
})
type Component = z.infer<typeof componentSchema>

/**
 * What an image is made of, as CycloneDX: of npm's packages those that are in it, with the hashes of the lock file, Node.js
 * among them, and what comes from elsewhere. The same image has the same bill, so it holds neither time nor serial number.
 * @returns JSON text
 */
export async function billOfMaterials(materials: Materials): Promise<string> {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only']
  const { $schema, bomFormat, specVersion, components, dependencies } = documentSchema.parse(
    JSON.parse(await run('npm', args, { cwd: root, timeoutMs: 5 * 60_000 })),
  )
  const wanted = new Set(await Promise.all([...materials.packages, 'node_modules/node'].map(referenceOf)))
  const packages = components.filter((component) => wanted.has(component['bom-ref'])).map(withoutScope)
  const missing = [...wanted].filter((ref) => !packages.some((component) => component['bom-ref'] === ref))
  if (missing.length > 0) throw new Error(`package-lock.json does not name ${missing.join(', ')}`)
  const others = [...systemComponents(materials), ...(materials.hasDuckdbExtension ? [extension] : [])]
  const image = `${materials.name}@${version}`
  const all = [...packages, ...others]
  const document = {
    $schema,
    bomFormat,
    specVersion,
    version: 1,
    metadata: {
      component: {
        'bom-ref': image,
        type: 'container',
        name: materials.name,
        version,
        licenses: [{ license: { id: 'Apache-2.0' } }],
      },
    },
    components: all,
    dependencies: [
      { ref: image, dependsOn: all.map((component) => component['bom-ref']) },
      ...dependencies
        .filter(({ ref }) => wanted.has(ref))
        .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => wanted.has(other)) })),
    ],
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

/** As npm calls a component. */
async function referenceOf(folder: string): Promise<string> {
  const text = await readFile(join(root, folder, 'package.json'), 'utf8')
  const { name, version: found } = z.object({ name: z.string(), version: z.string() }).parse(JSON.parse(text))
  return `${name}@${found}`
}

/** Of what is in an image nothing is optional or for development only, whatever it is in the lock file. */
function withoutScope({ scope: _scope, properties: _properties, ...component }: Component): Component {
  if (component.name !== 'node') return component
  return { ...component, cpe: `cpe:2.3:a:nodejs:node.js:${String(component['version'])}:*:*:*:*:*:*:*` }
}

function systemComponents({ systemPackages, distribution }: Materials): readonly Component[] {
  return systemPackages
    .split('\n')
    .filter((line) => line !== '')
    .map((file) => {
      const [name = '', escaped = '', architecture = ''] = file.replace(/\.deb$/, '').split('_')
      // A colon, which no file name may have, is escaped by apt.
      const found = decodeURIComponent(escaped)
      const purl = `pkg:deb/${distribution}/${encodeURIComponent(name)}@${encodeURIComponent(found)}?arch=${architecture}`
      return { 'bom-ref': purl, type: 'library', name, version: found, purl }
    })
}

const extension: Component = {
  'bom-ref': `duckdb-extension-httpfs@${duckdbVersion}`,
  type: 'library',
  name: 'duckdb-extension-httpfs',
  version: duckdbVersion,
  licenses: [{ license: { id: 'MIT' } }],
  purl: `pkg:pypi/duckdb-extension-httpfs@${duckdbVersion}`,
}
