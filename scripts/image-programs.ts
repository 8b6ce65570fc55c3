import { readdir, readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { build, type Metafile } from 'esbuild'
import { AppError } from '../common/errors.ts'

/** A program of an image: `/app/<name>.js`, bundled from a source file of this repository. */
export interface Program {
  readonly name: string
  readonly source: string
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

/** Packages with parts that are no JavaScript: they stay as they are, in `/app/node_modules`. */
const native = ['@duckdb/*']

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
    external: native,
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // V8 keeps the text of a program in memory. Names stay, and lines stay short, so that stack traces can be read.
    minifyWhitespace: true,
    lineLimit: 160,
    banner: { js: banner },
    legalComments: 'none',
    logLevel: 'silent',
  })
  const packages = bundledPackages(result.metafile)
  const all = [...packages, ...importedPackages(result.metafile)]
  for (const { packages: banned, why } of program.bans) {
    const found = all.find((folder) => banned.test(folder))
    if (found !== undefined)
      throw new AppError('invalid', 'ERR_IMAGE_CONTENT', `${program.source} imports ${found}: ${why}`)
  }
  return { name: program.name, code: result.outputFiles[0]!.contents, packages }
}

/** The folders of the packages whose code is in a bundle, sorted. */
export function bundledPackages({ inputs }: Metafile): readonly string[] {
  return foldersOf(Object.keys(inputs))
}

/** The folders of the packages that a bundle asks for when it runs, whether they will be there or not; sorted. */
export function importedPackages({ outputs }: Metafile): readonly string[] {
  const imports = Object.values(outputs).flatMap((output) => output.imports)
  return foldersOf(
    imports
      .filter(({ external, path }) => external === true && !isBuiltin(path))
      .map(({ path }) => `node_modules/${path}`),
  )
}

function foldersOf(paths: readonly string[]): readonly string[] {
  const pattern = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/
  return [...new Set(paths.flatMap((path) => pattern.exec(path)?.[0] ?? []))].toSorted()
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
