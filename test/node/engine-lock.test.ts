import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lockFolder } from '../../storage-node/disk/folder-lock.ts'
import { startStorageNode, untilReady } from '../support/storage-node.ts'
import { temporaryFolder } from './engine-support.ts'

/** Promise: one process at a time has a data folder, and none that was killed keeps the next one from it. */

test('a second node is refused while the first lives, and starts when that was killed', async () => {
  await using folder = await temporaryFolder()
  const data = join(folder.path, 'data')
  const start = () => startStorageNode(['--data', data, '--listen', '127.0.0.1:0', '--auth', 'off'])
  const first = await start()
  await untilReady(first.port)
  await expect(start()).rejects.toThrow(`${data} is in use by another process`)
  await first.kill()
  const second = await start()
  await untilReady(second.port)
  expect(await second.stop()).toBe(0)
})

test('a folder that was given back can be taken again', async () => {
  await using folder = await temporaryFolder()
  const release = await lockFolder(folder.path)
  await expect(lockFolder(folder.path)).rejects.toMatchObject({ code: 'ERR_DATA_FOLDER_IN_USE' })
  release()
  const again = await lockFolder(folder.path)
  again()
})
