import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../common/errors.ts'
import { cached } from './cache.ts'
import { run } from './run.ts'

/** Programs that only tests run beside our own, built from their Go modules. */

const env = { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false', GOTOOLCHAIN: 'auto' }

export interface Recipe {
  readonly name: string
  readonly module: string
  readonly version: string
  /** The command's folder in the module. */
  readonly folder: string
  /** Modules whose replacement by a folder is dropped: the folder is not in what the proxy gives. */
  readonly dropped?: readonly string[]
  /** What is changed in the source: by file, a text that is there once and what takes its place. */
  readonly changes?: Readonly<Record<string, readonly [string, string]>>
  /** Folders that are kept beside the program. */
  readonly kept?: readonly string[]
}

/**
 * Built inside a copy of its module: a program with replacements of its own cannot be built from outside.
 * @returns the folder with the program
 */
export function built(recipe: Recipe): Promise<string> {
  const { name, module, version, folder, dropped = [], changes = {}, kept = [] } = recipe
  return cached(name, [JSON.stringify(recipe), process.arch], async (output) => {
    const copy = join(output, 'source')
    await cp(await download(module, version), copy, { recursive: true })
    await run('chmod', ['-R', 'u+w', copy])
    for (const [file, change] of Object.entries(changes)) await changeOnce(join(copy, file), change)
    const go = (args: readonly string[], progress?: string) =>
      run('go', args, { cwd: copy, env, ...(progress !== undefined && { progress }) })
    for (const replaced of dropped) await go(['mod', 'edit', `-dropreplace=${replaced}`])
    const flags = ['-mod=mod', '-trimpath', '-ldflags', '-s -w', '-o', join(output, name)]
    await go(['build', ...flags, folder], `compiling ${name}: it takes a while the first time`)
    for (const path of kept) {
      await mkdir(join(output, path), { recursive: true })
      await cp(join(copy, path), join(output, path), { recursive: true })
    }
    await rm(copy, { recursive: true })
  })
}

/** @returns the module's folder, read-only */
export async function download(module: string, version: string): Promise<string> {
  const { Dir: source } = JSON.parse(
    await run('go', ['mod', 'download', '-json', `${module}@${version}`], { env }),
  ) as { readonly Dir: string }
  return source
}

async function changeOnce(file: string, [before, after]: readonly [string, string]): Promise<void> {
  const parts = (await readFile(file, 'utf8')).split(before)
  if (parts.length !== 2)
    throw new AppError('internal', 'ERR_GO_PROGRAM', `${file} does not say ${before} once`)
  await writeFile(file, parts.join(after))
}
