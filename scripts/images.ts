import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { version } from '../common/version.ts'
import { writeImageArchive } from '../local-kubernetes/image-archive.ts'
import { billOfMaterials } from './bill-of-materials.ts'
import { cached, cacheKey } from './cache.ts'
import { readDockerfile } from './dockerfile.ts'
import { ensureDuckdbExtension } from './duckdb-extension.ts'
import { systemLibraries, type SystemLibraries } from './image-libraries.ts'
import { bundleProgram, type Ban, type Program } from './image-programs.ts'
import { writeRoot, type RootContents } from './image-root.ts'
import { publishCommands } from './publish.ts'
import { script } from './script.ts'

export interface BuiltImage {
  /** `localhost/<image>:<version>-<12 hex digits of its content>`: a changed image never has an old name. */
  readonly name: string
  /** Path of the image in the format of `docker save`. */
  readonly archive: string
}

interface ImageRecipe {
  readonly name: string
  readonly dockerfile: string
  readonly programs: readonly Program[]
  readonly packages: readonly string[]
  /** Files by their place in the image. */
  readonly files: () => Promise<Readonly<Record<string, string>>>
}

const noDuckdb: Ban = { packages: /node_modules\/@duckdb\//, why: 'only the query process holds DuckDB' }
const noKubernetes: Ban = {
  packages: /node_modules\/@kubernetes\//,
  why: 'a storage node holds no Kubernetes client',
}

const recipes: readonly ImageRecipe[] = [
  {
    name: 'holdfast',
    dockerfile: 'Dockerfile',
    programs: [
      { name: 'operator', source: 'operator/main.ts', bans: [noDuckdb] },
      { name: 'gateway', source: 'gateway/main.ts', bans: [noDuckdb, noKubernetes] },
      { name: 'helm-test', source: 'operator/helm-test/main.ts', bans: [noDuckdb] },
      {
        name: 'isolation-probe',
        source: 'operator/isolation-probe/main.ts',
        bans: [noDuckdb, noKubernetes],
      },
    ],
    packages: [],
    files: () => Promise.resolve({}),
  },
  {
    name: 'holdfast-storage-node',
    dockerfile: 'storage-node.Dockerfile',
    programs: [
      {
        name: 'storage-node',
        source: 'storage-node/main.ts',
        bans: [noDuckdb, noKubernetes],
      },
      {
        name: 'query-process',
        source: 'storage-node/query-process/main.ts',
        bans: [noKubernetes],
      },
    ],
    packages: [
      'node_modules/@duckdb/node-api',
      'node_modules/@duckdb/node-bindings',
      `node_modules/@duckdb/node-bindings-linux-${process.arch}`,
      'node_modules/detect-libc',
    ],
    files: async () => ({ 'app/extensions/httpfs.duckdb_extension': await ensureDuckdbExtension() }),
  },
]

const root = join(import.meta.dirname, '..')

/** An image is hundreds of megabytes, and every change of the code makes another. */
const retention = { entries: 2, usedMs: 10 * 60_000 }

/**
 * The images of this work tree, built now if anything in them changed since the last time.
 * @throws AppError ERR_IMAGE_CONTENT if a program imports what its image must not hold; ERR_IMAGE_LIBRARIES where the
 * system libraries are not to be had; what else a build meets
 */
export function buildImages(): Promise<readonly BuiltImage[]> {
  return Promise.all(recipes.map(buildImage))
}

async function buildImage(recipe: ImageRecipe): Promise<BuiltImage> {
  const settings = readDockerfile(await readFile(join(root, recipe.dockerfile), 'utf8'))
  const { parts, inputs } = await gather(recipe)
  const allInputs = [JSON.stringify(settings), ...inputs]
  const name = `localhost/${recipe.name}:${version}-${cacheKey(allInputs).slice(0, 12)}`
  const build = async (draft: string) => {
    const rootFolder = join(draft, 'root')
    await writeRoot(rootFolder, await contentsOf(recipe, parts))
    await writeImageArchive({ ...settings, name, rootFolder, output: join(draft, 'image.tar') })
    await rm(rootFolder, { recursive: true })
  }
  const folder = await cached(`image-${recipe.name}`, allInputs, build, retention)
  return { name, archive: join(folder, 'image.tar') }
}

interface Parts extends Pick<RootContents, 'programs' | 'files'> {
  readonly libraries: SystemLibraries
}

async function contentsOf(recipe: ImageRecipe, { programs, files, libraries }: Parts): Promise<RootContents> {
  const { name, packages } = recipe
  const system = await readFile('/etc/os-release', 'utf8')
  const bill = await billOfMaterials({
    name,
    packages: [...packages, ...programs.flatMap((program) => program.packages)],
    systemPackages: libraries.versions,
    distribution: /^ID="?([a-z]+)/m.exec(system)?.[1] ?? 'debian',
    hasDuckdbExtension: Object.keys(files).some((path) => path.endsWith('.duckdb_extension')),
  })
  return { programs, packages, files, libraries: libraries.root, billOfMaterials: bill }
}

/** Sources of ours, besides the programs', that an image's bytes depend on. */
const shaping = [
  'scripts/image-root.ts',
  'scripts/bill-of-materials.ts',
  'local-kubernetes/image-archive.ts',
  'package-lock.json',
]

/** What goes into an image, and all that its bytes depend on. */
async function gather(
  recipe: ImageRecipe,
): Promise<{ readonly parts: Parts; readonly inputs: readonly (string | Uint8Array)[] }> {
  const [libraries, files, ...programs] = await Promise.all([
    systemLibraries(),
    recipe.files(),
    ...recipe.programs.map(bundleProgram),
  ])
  // The lock file pins every package to its bytes, Node.js and DuckDB among them.
  const texts = await Promise.all(shaping.map((path) => readFile(join(root, path))))
  const fileInputs = await Promise.all(
    Object.entries(files).map(async ([target, source]) => [target, await readFile(source)]),
  )
  return {
    parts: { programs, files, libraries },
    inputs: [
      ...texts,
      process.arch,
      libraries.versions,
      ...recipe.packages,
      ...fileInputs.flat(),
      ...programs.flatMap(({ name, code }) => [name, code]),
    ],
  }
}

/** The build contexts of the Dockerfiles: `FOLDER/holdfast` and `FOLDER/holdfast-storage-node`, made anew. */
async function writeContexts(folder: string): Promise<void> {
  for (const recipe of recipes) {
    const { parts } = await gather(recipe)
    const context = join(folder, recipe.name)
    await rm(context, { recursive: true, force: true })
    await writeRoot(context, await contentsOf(recipe, parts))
    console.log(`docker build --tag ${recipe.name}:${version} --file ${recipe.dockerfile} ${context}`)
  }
}

/**
 *     npm run images                             builds the images, prints names, archives and sizes
 *     npm run images -- --registry REGISTRY      builds them, prints how to push them there and install from there
 *     npm run images -- --contexts FOLDER        writes what `docker build` needs, prints its command lines
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { contexts: { type: 'string' }, registry: { type: 'string' } } })
  if (values.contexts !== undefined) return writeContexts(values.contexts)
  const images = await buildImages()
  if (values.registry !== undefined) return console.log(publishCommands(images, values.registry))
  for (const { name, archive } of images) {
    const megabytes = Math.round((await stat(archive)).size / 1e6)
    console.log(`${name}\t${archive}\t${megabytes} MB`)
  }
}

if (import.meta.main) await script(main)
