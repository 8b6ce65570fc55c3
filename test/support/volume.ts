import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, open, rm, statfs, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const mebibyte = 1_048_576

/** A small ext4 file system of its own, on a file. */
export interface Volume {
  readonly path: string
  /** Takes all space but so much, with a file that `empty` removes. */
  fill(leaveBytes: number): Promise<void>
  empty(): Promise<void>
  /** From now on every write and every sync fails, as on a device that is gone. */
  fail(): Promise<void>
  /** Mounts it again, with its journal replayed, as after a restart of the machine. */
  remount(): Promise<void>
  remove(): Promise<void>
}

/** @throws if this machine does not let us mount, for example because we are not root */
export async function makeVolume(sizeMebibytes: number): Promise<Volume> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-volume-'))
  const image = join(folder, 'image')
  const path = join(folder, 'mounted')
  const filler = join(path, 'filler')
  const mount = () => run('mount', ['-o', 'loop', image, path])
  try {
    await mkdir(path)
    await writeFile(image, '')
    await truncate(image, sizeMebibytes * mebibyte)
    await run('mkfs.ext4', ['-q', '-m', '0', image])
    await mount()
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
  return {
    path,
    async fill(leaveBytes) {
      const file = await open(filler, 'a')
      try {
        for (let pieceBytes = mebibyte; pieceBytes >= 1024;) {
          const { bavail, bsize } = await statfs(path)
          if (bavail * bsize - pieceBytes < leaveBytes) pieceBytes /= 4
          else {
            await file.write(Buffer.alloc(pieceBytes, 1))
            await file.sync()
          }
        }
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
      } finally {
        await file.close()
      }
    },
    empty: () => rm(filler, { force: true }),
    async fail() {
      await run('mount', ['-o', 'remount,abort', path])
    },
    async remount() {
      await run('umount', [path])
      await run('e2fsck', ['-p', image]).catch(() => undefined)
      await mount()
    },
    async remove() {
      await run('umount', [path])
      await rm(folder, { recursive: true })
    },
  }
}
