import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startStorageNode, untilReady } from '../support/storage-node.ts'
import { allFiles, databaseId, openEngine, temporaryFolder, write } from './engine-support.ts'

/** Promise: alone, what a database leaves that was dropped from the catalogue is gone after the next start. */
test('data of a database that the catalogue does not know is deleted at the start, and no other', async () => {
  await using folder = await temporaryFolder()
  const data = join(folder.path, 'data')
  const start = () => startStorageNode(['--data', data, '--listen', '127.0.0.1:0', '--auth', 'off'])
  const query = async (port: number, text: string) =>
    (
      await fetch(`http://127.0.0.1:${port}/query?db=d&q=${encodeURIComponent(text)}`, { method: 'POST' })
    ).text()

  const first = await start()
  await untilReady(first.port)
  await query(first.port, 'CREATE DATABASE d')
  await fetch(`http://127.0.0.1:${first.port}/write?db=d`, { method: 'POST', body: 'm v=7 1' })
  await first.stop()
  const engine = await openEngine(join(data, 'engine'), {
    organizationId: (await readFile(join(data, 'organization-id'), 'utf8')).slice(0, 16),
    dataKey: Buffer.from(await readFile(`${data}.key`, 'utf8'), 'base64'),
  })
  await write(engine, 'm v=1 1')
  expect(engine.databasesWithData()).toHaveLength(2)
  await engine.close()
  const parquet = async () => [...(await allFiles(data)).keys()].filter((name) => name.endsWith('.parquet'))
  expect(await parquet()).toHaveLength(2)

  const second = await start()
  await untilReady(second.port)
  expect(second.log).toContainEqual(
    expect.objectContaining({ msg: 'data of a dropped database deleted', databaseId }),
  )
  expect(await parquet()).toHaveLength(1)
  expect(await query(second.port, 'SELECT v FROM m')).toContain('7')
  expect(await second.stop()).toBe(0)
})
