import { mkdtemp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { writeRoot } from './image-root.ts'

let folder: string
let root: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-image-root-'))
  root = join(folder, 'root')
  await mkdir(join(folder, 'libraries/lib'), { recursive: true })
  await writeFile(join(folder, 'libraries/lib/libc.so.6'), 'library')
  await writeFile(join(folder, 'extra'), 'extension')
  await writeRoot(root, {
    programs: [{ name: 'gateway', code: Buffer.from('code'), packages: ['node_modules/pino'] }],
    packages: ['node_modules/detect-libc'],
    files: { 'app/extensions/extra': join(folder, 'extra') },
    libraries: join(folder, 'libraries'),
    billOfMaterials: '{"bomFormat":"CycloneDX"}',
  })
})
afterEach(() => rm(folder, { recursive: true }))

describe('an image holds what its programs need, and nothing that helps an intruder', () => {
  test('every file of it is one of these', async () => {
    const entries = await readdir(root, { recursive: true, withFileTypes: true })
    const files = entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
      .filter((path) => !path.startsWith('/app/node_modules/detect-libc/'))
    expect(files.toSorted()).toEqual([
      '/app/extensions/extra',
      '/app/gateway.js',
      '/app/node',
      '/app/package.json',
      '/etc/group',
      '/etc/nsswitch.conf',
      '/etc/passwd',
      '/lib/libc.so.6',
      '/usr/share/doc/holdfast/licences.txt',
      '/usr/share/doc/holdfast/sbom.cdx.json',
    ])
  })

  test('packages come without what only a developer reads', async () => {
    const files = await readdir(join(root, 'app/node_modules/detect-libc'), { recursive: true })
    expect(files).toContain('LICENSE')
    expect(files).toContain('package.json')
    expect(files.filter((name) => /\.d\.ts$|\.map$|README/.test(name))).toEqual([])
  })

  test('the user has a number and no shell, and /tmp is for everybody', async () => {
    expect(await readFile(join(root, 'etc/passwd'), 'utf8')).toMatch(
      /^holdfast:x:65532:65532:.*:\/sbin\/nologin$/m,
    )
    expect((await stat(join(root, 'tmp'))).mode & 0o7777).toBe(0o1777)
    expect((await stat(join(root, 'app/node'))).mode & 0o777).toBe(0o755)
  })

  test('the licences of what was bundled and of what was copied go along', async () => {
    const text = await readFile(join(root, 'usr/share/doc/holdfast/licences.txt'), 'utf8')
    for (const name of ['holdfast', 'pino', 'detect-libc'])
      expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'))
  })
})
