import { chmod, copyFile, cp, link, mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { licencesOf, type BundledProgram } from './image-programs.ts'

export const imageUser = { name: 'holdfast', id: 65_532 }

export interface RootContents {
  readonly programs: readonly BundledProgram[]
  /** Folders of packages that go in as they are, from the repository's root. */
  readonly packages: readonly string[]
  /** Single files by their place in the image. */
  readonly files: Readonly<Record<string, string>>
  /** Folder with the system libraries at their places. */
  readonly libraries: string
  /** What the image is made of, as CycloneDX. */
  readonly billOfMaterials: string
}

const repository = join(import.meta.dirname, '..')
const documents = 'usr/share/doc/holdfast'
export const nodeBinary = join(repository, 'node_modules/node/bin/node')

/** Lays out a root file system: no shell, nothing that is not run, everything owned by root and read-only in use. */
export async function writeRoot(folder: string, contents: RootContents): Promise<void> {
  const app = join(folder, 'app')
  await cp(contents.libraries, folder, { recursive: true })
  await mkdir(app)
  await copyOnce(nodeBinary, join(app, 'node'))
  await chmod(join(app, 'node'), 0o755)
  await writeFile(join(app, 'package.json'), '{"type":"module"}\n')
  for (const { name, code } of contents.programs) await writeFile(join(app, `${name}.js`), code)
  for (const path of contents.packages)
    await cp(join(repository, path), join(folder, 'app', path), { recursive: true, filter: isRun })
  for (const [target, source] of Object.entries(contents.files)) {
    await mkdir(dirname(join(folder, target)), { recursive: true })
    await copyOnce(source, join(folder, target))
  }
  await writeUsers(folder)
  await mkdir(join(folder, documents), { recursive: true })
  await writeFile(join(folder, documents, 'sbom.cdx.json'), contents.billOfMaterials)
  await writeLicences(join(folder, documents), contents)
}

/** Without the types and maps that only a developer reads. */
const isRun = (path: string): boolean => !/\.(d\.ts|map)$/.test(path) && basename(path) !== 'README.md'

/** Big files are not written a second time where a link does. */
async function copyOnce(source: string, target: string): Promise<void> {
  await link(source, target).catch(() => copyFile(source, target))
}

/** Some libraries ask for the name and the home of the user they run as. */
async function writeUsers(folder: string): Promise<void> {
  const { name, id } = imageUser
  await mkdir(join(folder, 'etc'), { recursive: true })
  await writeFile(
    join(folder, 'etc/passwd'),
    `root:x:0:0:root:/:/sbin/nologin\n${name}:x:${id}:${id}:${name}:/tmp:/sbin/nologin\n`,
  )
  await writeFile(join(folder, 'etc/group'), `root:x:0:\n${name}:x:${id}:\n`)
  await writeFile(join(folder, 'etc/nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files dns\n')
  await mkdir(join(folder, 'tmp'))
  await chmod(join(folder, 'tmp'), 0o1777)
}

async function writeLicences(folder: string, contents: RootContents): Promise<void> {
  const packages = [...contents.programs.flatMap((program) => program.packages), ...contents.packages]
  const node = 'Node.js (MIT) and what it is made of: https://github.com/nodejs/node/blob/main/LICENSE'
  await writeFile(
    join(folder, 'licences.txt'),
    [await licencesOf(['']), node, await licencesOf(packages), ''].join('\n\n'),
  )
}
