import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build, type Metafile } from 'esbuild'
import { AppError } from '../common/errors.ts'

/** A program of an image: `/app/<name>.js`, bundled from a source file of this repository. */
export interface Program {
  readonly name: string
  readonly source: string
  /** Packages that stay as they are in `/app/node_modules`: those with native parts. */
  readonly external: readonly string[]
  readonly bans: readonly Ban[]
}

/** Packages that a program must not hold, with the reason for people. */
export interface Ban {
  readonly packages: RegExp
  readonly why: string
}

export interface BundledProgram {
  readonly name: string
  readonly code: Uint8Array
  /** Folders of the packages that went into it, from the repository's root: `node_modules/pino`. */
  readonly packages: readonly string[]
}

const root = join(import.meta.dirname, '..')

/** What CommonJS packages expect to find, in a bundle that is an ES module. */
const banner = [
  `import { createRequire as holdfastCreateRequire } from 'node:module'`,
  `const require = holdfastCreateRequire(import.meta.url)`,
  `const __filename = import.meta.filename`,
  `const __dirname = import.meta.dirname`,
].join('\n')

/**
 * One file of a program and all that it imports.
 * @throws AppError ERR_IMAGE_CONTENT if it would bring a banned package in
 */
export async function bundleProgram(program: Program): Promise<BundledProgram> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: [program.source],
    outfile: `${program.name}.js`,
    external: [...program.external],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    banner: { js: banner },
    legalComments: 'none',
    logLevel: 'silent',
  })
  const packages = packagesOf(result.metafile)
  for (const { packages: banned, why } of program.bans) {
    const found = packages.find((folder) => banned.test(folder))
    if (found !== undefined)
      throw new AppError('invalid', 'ERR_IMAGE_CONTENT', `${program.source} imports ${found}: ${why}`)
  }
  return { name: program.name, code: result.outputFiles[0]!.contents, packages }
}

/** The folders of the packages in a bundle, and of those that it imports at run time; sorted. */
export function packagesOf({ inputs, outputs }: Metafile): readonly string[] {
  const bundled = Object.keys(inputs)
  const imported = Object.values(outputs)
    .flatMap((output) => output.imports)
    .filter(({ external, path }) => external === true && !path.startsWith('node:'))
    .map(({ path }) => `node_modules/${path}`)
  const folders = [...bundled, ...imported].flatMap(
    (path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
  )
  return [...new Set(folders)].toSorted()
}

/** The licence texts of packages, one after the other, as their licences ask of whoever passes them on. */
export async function licencesOf(packages: readonly string[]): Promise<string> {
  const texts = await Promise.all(
    [...new Set(packages)].toSorted().map(async (folder) => {
      const path = join(root, folder)
      const description = JSON.parse(await readFile(join(path, 'package.json'), 'utf8')) as {
        readonly name: string
        readonly version: string
        readonly license?: string
      }
      const files = (await readdir(path)).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name)).sort()
      const contents = await Promise.all(files.map((name) => readFile(join(path, name), 'utf8')))
      const title = `${description.name} ${description.version} (${description.license ?? 'see below'})`
      return [title, '='.repeat(title.length), '', ...contents].join('\n')
    }),
  )
  return texts.join('\n\n')
}
