import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cached } from '../../scripts/cache.ts'
import { run } from '../../scripts/run.ts'
import { writeImageArchive } from '../image-archive.ts'
import { PAUSE_IMAGE } from './configuration.ts'
import { paths } from './layout.ts'

export const BUSYBOX_IMAGE = 'localhost/busybox:1'
export const COREDNS_IMAGE = 'localhost/coredns:1'
export const LOCAL_PATH_IMAGE = 'localhost/local-path-provisioner:1'

const BUSYBOX = '/bin/busybox'
const NOBODY = '65532:65532'
const IMAGE_BUILDER = [
  join(import.meta.dirname, 'images.ts'),
  join(import.meta.dirname, '../image-archive.ts'),
]

/**
 * Builds the archives of the images that the node itself needs, and of `localhost/busybox:1` for whoever wants a shell
 * in a pod.
 *
 * @param programs folder of `buildPrograms`
 */
export async function buildNodeImages(programs: string): Promise<string[]> {
  const builder = await Promise.all(IMAGE_BUILDER.map((path) => readFile(path)))
  const folder = await cached(
    'node-images',
    [programs, await readFile(BUSYBOX), ...builder],
    async (output) => {
      await imageOfProgram(join(programs, 'pause'), PAUSE_IMAGE, join(output, 'pause.tar'), '65535:65535')
      await imageOfProgram(join(programs, 'coredns'), COREDNS_IMAGE, join(output, 'coredns.tar'), NOBODY)
      const provisioner = join(programs, 'local-path-provisioner')
      await imageOfProgram(provisioner, LOCAL_PATH_IMAGE, join(output, 'local-path-provisioner.tar'), NOBODY)
      await busyboxImage(join(output, 'busybox.tar'))
    },
  )
  return ['pause', 'coredns', 'local-path-provisioner', 'busybox'].map((name) => join(folder, `${name}.tar`))
}

/** Brings archives into the node's image store; a name that is there already means the new image from now on. */
export async function loadArchives(archives: readonly string[]): Promise<void> {
  for (const archive of archives) {
    await run('ctr', [
      '--address',
      paths.containerdSocket,
      '--namespace',
      'k8s.io',
      'images',
      'import',
      archive,
    ])
  }
}

async function imageOfProgram(path: string, name: string, output: string, user: string): Promise<void> {
  await withRoot(async (rootFolder) => {
    await copyFile(path, join(rootFolder, 'program'))
    await chmod(join(rootFolder, 'program'), 0o755)
    await writeImageArchive({ name, rootFolder, entrypoint: ['/program'], user, output })
  })
}

async function busyboxImage(output: string): Promise<void> {
  await withRoot(async (rootFolder) => {
    for (const folder of ['bin', 'etc', 'tmp', 'root']) await mkdir(join(rootFolder, folder))
    await chmod(join(rootFolder, 'tmp'), 0o1777)
    await copyFile(BUSYBOX, join(rootFolder, 'bin/busybox'))
    await chmod(join(rootFolder, 'bin/busybox'), 0o755)
    for (const applet of (await run(BUSYBOX, ['--list'])).trim().split('\n')) {
      if (applet !== 'busybox') await symlink('busybox', join(rootFolder, 'bin', applet))
    }
    await writeFile(
      join(rootFolder, 'etc/passwd'),
      'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n',
    )
    await writeFile(join(rootFolder, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n')
    await writeImageArchive({ name: BUSYBOX_IMAGE, rootFolder, entrypoint: ['/bin/sh'], output })
  })
}

async function withRoot(work: (rootFolder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-image-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
