import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { silentLogger } from '../../common/log.ts'
import { QueryProcess } from '../../storage-node/query-process/client.ts'
import { openEngine, temporaryFolder, write } from './engine-support.ts'
import { querySettings } from '../support/query-settings.ts'

/** Promise: what a tenant is told names the file, never where the node keeps it. */

test('what could not be written is told without the folder', async () => {
  await using folder = await temporaryFolder()
  const engine = await openEngine(folder.path)
  await write(engine, 'm v=1 1')
  await rm(join(folder.path, 'files'), { recursive: true })
  const error = await engine.flush().catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'ERR_FLUSH', message: expect.stringContaining('.parquet') })
  expect(error).toMatchObject({ message: expect.not.stringContaining('/') })
  await expect(engine.close()).rejects.toMatchObject({ code: 'ERR_FLUSH' })
})

test('what DuckDB says of a file is told without the folder', async () => {
  await using folder = await temporaryFolder()
  const queryProcess = new QueryProcess({
    program: join(import.meta.dirname, '../../storage-node/query-process/main.ts'),
    settings: await querySettings(),
    clock: systemClock,
    log: silentLogger,
  })
  const path = join(folder.path, 'none', 'a.parquet')
  const columns = [{ name: 'f0', type: 'float' as const }]
  const written = queryProcess.writeParquet(path, new Uint8Array(32), columns, [])
  const error = await written.catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ message: expect.stringContaining('"a.parquet"') })
  expect(error).toMatchObject({ message: expect.not.stringContaining(folder.path) })
  await queryProcess.close()
})
