import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { extract, type Header } from 'tar-stream'
import { writeImageArchive } from './image-archive.ts'

let work: string

beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), 'holdfast-image-'))
})

afterEach(async () => {
  await rm(work, { recursive: true })
})

const longName = `${'deep/'.repeat(30)}${'n'.repeat(120)}.js`

async function makeRoot(name: string, timeMs: number): Promise<string> {
  const root = join(work, name)
  await mkdir(join(root, 'deep/'.repeat(30)), { recursive: true })
  await mkdir(join(root, 'bin'))
  await mkdir(join(root, 'tmp'))
  await chmod(join(root, 'tmp'), 0o1777)
  await writeFile(join(root, longName), 'long')
  await writeFile(join(root, 'bin/tool'), 'x'.repeat(100_000), { mode: 0o700 })
  await writeFile(join(root, 'empty'), '', { mode: 0o600 })
  await symlink('tool', join(root, 'bin/alias'))
  await utimes(join(root, 'bin/tool'), timeMs / 1000, timeMs / 1000)
  return root
}

async function entriesOf(tar: Buffer): Promise<Map<string, { header: Header; body: Buffer }>> {
  const entries = new Map<string, { header: Header; body: Buffer }>()
  for await (const entry of Readable.from([tar]).pipe(extract())) {
    const chunks: Buffer[] = []
    for await (const chunk of entry) chunks.push(chunk as Buffer)
    entries.set(entry.header.name, { header: entry.header, body: Buffer.concat(chunks) })
  }
  return entries
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

test('the archive is what a container runtime expects: digests, configuration and files agree', async () => {
  const output = join(work, 'image.tar')
  const image = await writeImageArchive({
    name: 'localhost/tool:1',
    rootFolder: await makeRoot('root', 0),
    entrypoint: ['/bin/tool'],
    user: '65532:65532',
    env: { MODE: 'test' },
    workingDir: '/tmp',
    output,
  })
  const archive = await entriesOf(await readFile(output))
  const [manifest] = JSON.parse(archive.get('manifest.json')!.body.toString())
  expect(manifest.RepoTags).toEqual(['localhost/tool:1'])
  const configBytes = archive.get(manifest.Config)!.body
  expect(image.imageId).toBe(`sha256:${sha256(configBytes)}`)
  const config = JSON.parse(configBytes.toString())
  expect(config.config).toMatchObject({ Entrypoint: ['/bin/tool'], User: '65532:65532', WorkingDir: '/tmp' })
  expect(config.config.Env).toContain('MODE=test')
  const layerBytes = archive.get(manifest.Layers[0])!.body
  expect(config.rootfs.diff_ids).toEqual([`sha256:${sha256(layerBytes)}`])
  expect(image.layerBytes).toBe(layerBytes.byteLength)

  const layer = await entriesOf(layerBytes)
  expect(layer.get(longName)!.body.toString()).toBe('long')
  expect(layer.get('bin/tool')).toMatchObject({ header: { mode: 0o755, uid: 0, gid: 0, size: 100_000 } })
  expect(layer.get('bin/alias')!.header).toMatchObject({ type: 'symlink', linkname: 'tool' })
  expect(layer.get('empty')!.header).toMatchObject({ mode: 0o644, size: 0 })
  expect(layer.get('tmp/')!.header).toMatchObject({ type: 'directory', mode: 0o1777 })
  expect(await readdir(work)).not.toContain('image.tar.layer')
})

test('the same files give the same bytes, whenever they were written', async () => {
  const archives = []
  for (const [name, timeMs] of [
    ['first', 1_000_000],
    ['second', 2_000_000_000],
  ] as const) {
    const output = join(work, `${name}.tar`)
    await writeImageArchive({
      name: 'localhost/tool:1',
      rootFolder: await makeRoot(name, timeMs),
      entrypoint: ['/bin/tool'],
      output,
    })
    archives.push(await readFile(output))
  }
  expect(archives[0]!.equals(archives[1]!)).toBe(true)
})

test('a folder that is not there leaves no archive behind', async () => {
  const options = {
    name: 'a:1',
    rootFolder: join(work, 'none'),
    entrypoint: ['/a'],
    output: join(work, 'a.tar'),
  }
  await expect(writeImageArchive(options)).rejects.toThrow('ENOENT')
  expect(await readdir(work)).toEqual([])
})
