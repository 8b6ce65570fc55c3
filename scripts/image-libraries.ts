import { existsSync } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError } from '../common/errors.ts'
import { cached } from './cache.ts'
import { run } from './run.ts'
import { aptGet } from './system-packages.ts'

/** Where the C library of an architecture is, and the program loader that executables name by its path. */
const platforms: Readonly<Record<string, { readonly folder: string; readonly loader: string }>> = {
  x64: { folder: 'lib/x86_64-linux-gnu', loader: 'lib64/ld-linux-x86-64.so.2' },
  arm64: { folder: 'lib/aarch64-linux-gnu', loader: 'lib/ld-linux-aarch64.so.1' },
}

/** All that Node.js and DuckDB load; everything else of these packages stays out. */
const debianPackages = ['libc6', 'libgcc-s1', 'libstdc++6']
const libraries = [
  'libc.so.6',
  'libdl.so.2',
  'libgcc_s.so.1',
  'libm.so.6',
  'libpthread.so.0',
  'libresolv.so.2',
  'librt.so.1',
  'libstdc++.so.6',
]

export interface SystemLibraries {
  /** A folder that holds them at their places in an image. */
  readonly root: string
  /** Names of the package files that they are out of, a line each. */
  readonly versions: string
}

/**
 * A folder that holds the system libraries of an image at their places, their licences, and `versions.txt` beside
 * them. They are the newest that this machine's Debian or Ubuntu offers when first asked for; deleting the cache
 * brings newer ones.
 * @throws AppError ERR_IMAGE_LIBRARIES where there is no apt, or for another processor
 */
export async function systemLibraries(): Promise<SystemLibraries> {
  const platform = platforms[process.arch]
  if (platform === undefined) throw unavailable(`images are for ${Object.keys(platforms).join(' and ')}`)
  const system = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const recipe = JSON.stringify({ platform, debianPackages, libraries, system })
  const folder = await cached('image-libraries', [recipe], async (draft) => {
    const packages = join(draft, 'packages')
    const contents = join(packages, 'contents')
    await mkdir(contents, { recursive: true })
    const files = await download(packages, debianPackages)
    for (const file of files) await extract(join(packages, file), contents)
    const root = join(draft, 'root')
    for (const name of libraries) await place(contents, name, join(root, platform.folder, name))
    await place(contents, platform.loader.split('/').at(-1)!, join(root, platform.loader))
    await placeLicences(packages, contents, root)
    await writeFile(join(draft, 'versions.txt'), files.toSorted().join('\n'))
    await rm(packages, { recursive: true })
  })
  return { root: join(folder, 'root'), versions: await readFile(join(folder, 'versions.txt'), 'utf8') }
}

/** @returns the names of the package files, which hold their versions */
async function download(folder: string, names: readonly string[]): Promise<readonly string[]> {
  const args = ['download', ...names]
  await aptGet(args, { cwd: folder }).catch(async (failure: unknown) => {
    // The lists of packages are missing, or name versions that are gone.
    await aptGet(['update'], { progress: 'apt-get update' }).catch(() => {
      throw unavailable('apt-get download of Debian or Ubuntu is needed', failure)
    })
    await aptGet(args, { cwd: folder })
  })
  return (await readdir(folder)).filter((name) => name.endsWith('.deb'))
}

async function extract(file: string, folder: string): Promise<void> {
  await run('dpkg-deb', ['--extract', file, folder])
}

/** Copies the one file of this name, wherever its package puts it; a link becomes the file it points to. */
async function place(contents: string, name: string, target: string): Promise<void> {
  const found = await readdir(contents, { recursive: true })
  const path = found.find((candidate) => candidate.endsWith(`/${name}`) && !candidate.includes('/audit/'))
  if (path === undefined) throw unavailable(`${debianPackages.join(', ')} hold no ${name}`)
  await mkdir(dirname(target), { recursive: true })
  await copyFile(join(contents, path), target)
}

/** The compiler's libraries keep their licence in a package whose name has the compiler's version in it. */
async function placeLicences(packages: string, contents: string, root: string): Promise<void> {
  for (const name of debianPackages) {
    const documents = join(contents, 'usr/share/doc', name)
    const shared = await readlink(documents).catch(() => undefined)
    if (shared !== undefined && !existsSync(documents)) {
      const folder = join(packages, shared)
      await mkdir(folder)
      for (const file of await download(folder, [shared])) await extract(join(folder, file), contents)
    }
    const target = join(root, 'usr/share/doc', name)
    await mkdir(target, { recursive: true })
    await copyFile(join(documents, 'copyright'), join(target, 'copyright'))
  }
}

function unavailable(message: string, cause?: unknown): AppError {
  return new AppError('unavailable', 'ERR_IMAGE_LIBRARIES', `system libraries of the images: ${message}`, {
    cause,
  })
}
