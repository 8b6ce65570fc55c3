import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { lstat, readdir, readlink, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pack, type Header, type Pack } from 'tar-stream'

export interface ImageArchiveOptions {
  /** Reference the image is known by, with its tag: `localhost/holdfast-operator:1`. */
  readonly name: string
  /** Folder on this machine that becomes `/` of the image. */
  readonly rootFolder: string
  readonly entrypoint: readonly string[]
  /** `uid:gid` in numbers, so that `runAsNonRoot` can be checked without a passwd file. Default: root. */
  readonly user?: string
  readonly env?: Readonly<Record<string, string>>
  readonly workingDir?: string
  /** Path of the archive to write; it appears there whole or not at all. */
  readonly output: string
}

export interface ImageArchive {
  /** `sha256:…` of the image's configuration: what a container runtime calls the image id. */
  readonly imageId: string
  readonly layerBytes: number
}

const EPOCH = new Date(0)
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

/**
 * Makes an image of one layer from a plain folder, in the format that `docker load`, `ctr images import` and
 * `kind load image-archive` read (Docker Image Specification v1.2, "Combined Image JSON + Filesystem Changeset").
 * The same files give the same bytes wherever and whenever they are packed: everything belongs to root, dates from
 * the epoch, is in the order of its name, and of the modes only "executable" and "sticky" are taken over.
 */
export async function writeImageArchive(options: ImageArchiveOptions): Promise<ImageArchive> {
  const layerFile = `${options.output}.layer`
  const draft = `${options.output}.draft`
  try {
    const layer = await writeLayer(options.rootFolder, layerFile)
    const config = JSON.stringify(imageConfig(options, layer.digest))
    const configDigest = createHash('sha256').update(config).digest('hex')
    const manifest = JSON.stringify([
      { Config: `${configDigest}.json`, RepoTags: [options.name], Layers: [`${layer.digest}/layer.tar`] },
    ])
    const archive = pack()
    const written = pipeline(archive, createWriteStream(draft))
    const filled = closing(archive, async () => {
      await addBytes(archive, `${configDigest}.json`, config)
      await addStream(
        archive,
        fileHeader(`${layer.digest}/layer.tar`, layer.bytes),
        createReadStream(layerFile),
      )
      await addBytes(archive, 'manifest.json', manifest)
    })
    await Promise.all([filled, written])
    await rename(draft, options.output)
    return { imageId: `sha256:${configDigest}`, layerBytes: layer.bytes }
  } finally {
    await rm(layerFile, { force: true })
    await rm(draft, { force: true })
  }
}

function imageConfig(options: ImageArchiveOptions, layerDigest: string): object {
  return {
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    os: 'linux',
    created: EPOCH.toISOString(),
    config: {
      Entrypoint: options.entrypoint,
      Env: Object.entries({ PATH: '/usr/local/bin:/usr/bin:/bin', ...options.env }).map(
        ([name, value]) => `${name}=${value}`,
      ),
      User: options.user ?? '',
      WorkingDir: options.workingDir ?? '/',
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layerDigest}`] },
    history: [{ created: EPOCH.toISOString(), created_by: 'holdfast' }],
  }
}

async function writeLayer(rootFolder: string, output: string): Promise<{ digest: string; bytes: number }> {
  const layer = pack()
  const hash = createHash('sha256')
  let bytes = 0
  const digest = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      bytes += chunk.byteLength
      done(null, chunk)
    },
  })
  const written = pipeline(layer, digest, createWriteStream(output))
  const filled = closing(layer, () => addFolder(layer, rootFolder, ''))
  await Promise.all([filled, written])
  return { digest: hash.digest('hex'), bytes }
}

/** Ends the archive after `fill`, or breaks it off, so that whoever reads it never waits for more. */
async function closing(archive: Pack, fill: () => Promise<void>): Promise<void> {
  try {
    await fill()
    archive.finalize()
  } catch (error) {
    archive.destroy(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

async function addFolder(layer: Pack, folder: string, prefix: string): Promise<void> {
  // By code units, not by locale: the order must not depend on the machine.
  const names = (await readdir(folder)).sort((a, b) => (a < b ? -1 : 1))
  for (const name of names) {
    const path = join(folder, name)
    const info = await lstat(path)
    const inside = `${prefix}${name}`
    if (info.isDirectory()) {
      const mode = (info.mode & 0o1000) === 0 ? 0o755 : 0o1777
      await addEntry(layer, header({ name: `${inside}/`, type: 'directory', mode }))
      await addFolder(layer, path, `${inside}/`)
    } else if (info.isSymbolicLink()) {
      const linkname = await readlink(path)
      await addEntry(layer, header({ name: inside, type: 'symlink', linkname }))
    } else if (info.isFile()) {
      const { size, mode } = await stat(path)
      const header = fileHeader(inside, size, (mode & 0o100) === 0 ? 0o644 : 0o755)
      await addStream(layer, header, createReadStream(path))
    } else {
      throw new Error(`${path} is no file, folder or link: an image cannot hold it`)
    }
  }
}

/** Every field is given, so that nothing is taken from this machine or its clock. */
function header(fields: Pick<Header, 'name' | 'type'> & Partial<Header>): Header {
  const owner = { uid: 0, gid: 0, uname: '', gname: '' }
  return {
    mode: 0o777,
    size: 0,
    linkname: '',
    devmajor: 0,
    devminor: 0,
    pax: null,
    mtime: EPOCH,
    ...owner,
    ...fields,
  }
}

function fileHeader(name: string, size: number, mode = 0o644): Header {
  return header({ name, type: 'file', size, mode })
}

function addEntry(archive: Pack, header: Header): Promise<void> {
  return new Promise((resolve, reject) => {
    archive.entry(header, '', (error) => (error ? reject(error) : resolve()))
  })
}

function addBytes(archive: Pack, name: string, text: string): Promise<void> {
  const bytes = Buffer.from(text)
  return new Promise((resolve, reject) => {
    archive.entry(fileHeader(name, bytes.byteLength), bytes, (error) => (error ? reject(error) : resolve()))
  })
}

function addStream(archive: Pack, header: Header, source: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    const entry = archive.entry(header, (error) => (error ? reject(error) : resolve()))
    source.on('error', reject)
    source.pipe(entry)
  })
}
