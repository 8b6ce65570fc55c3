import { constants } from 'node:fs'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nodeDisk } from '../../storage-node/disk/node-disk.ts'
import { temporaryFolder } from './engine-support.ts'

/** Promise: no write to a log resolves before the device has it; a lost flag would show in nothing but a loss of power. */

/** How the system says that this process has a file open. */
async function openFlags(path: string): Promise<number> {
  for (const descriptor of await readdir('/proc/self/fd')) {
    const target = await readlink(`/proc/self/fd/${descriptor}`).catch(() => null)
    if (target !== path) continue
    const info = await readFile(`/proc/self/fdinfo/${descriptor}`, 'utf8')
    return Number.parseInt(/^flags:\s+([0-7]+)$/m.exec(info)![1]!, 8)
  }
  throw new Error(`${path} is not open`)
}

test.each([
  ['durable', constants.O_DSYNC],
  ['cached', 0],
] as const)('a file whose writes are %s', async (writes, expected) => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'file')
  const file = await nodeDisk.create(path, writes)
  try {
    await file.write(Buffer.from('abc'), 0)
    await file.write(Buffer.from('de'), 3)
    expect((await openFlags(path)) & constants.O_DSYNC).toBe(expected)
    expect(await readFile(path, 'utf8')).toBe('abcde')
    await expect(nodeDisk.create(path, writes)).rejects.toMatchObject({ code: 'EEXIST' })
  } finally {
    await file.close()
  }
})
