import { randomBytes } from 'node:crypto'
import { readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { silentLogger } from '../../common/log.ts'
import { QueryProcess } from '../../storage-node/query-process/client.ts'
import type { Rows } from '../../storage-node/query-process/messages.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { allFiles, openEngine, readAll, temporaryFolder, write } from './engine-support.ts'
import { querySettings } from '../support/query-settings.ts'

/**
 * Promise: nothing of a tenant's can be read on the disk at any time, also not while files are being made or memory is
 * short. A search goes on all the while over the data folder and over every file that our processes have open, wherever
 * it lies and whether it still has a name.
 */

const pauseMs = 5

/** Files that this process and its children have open for writing. */
async function openFiles(): Promise<string[]> {
  const own = `/proc/${process.pid}`
  const children = await readFile(`${own}/task/${process.pid}/children`, 'utf8')
  const found: string[] = []
  for (const pid of [process.pid, ...children.split(' ').filter(Boolean)]) {
    for (const descriptor of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const path = `/proc/${pid}/fd/${descriptor}`
      const target = await readlink(path).catch(() => '')
      const isWritten = async () =>
        /^flags:\s+\d*[12]$/m.test(
          await readFile(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8').catch(() => ''),
        )
      if (target.startsWith('/') && !/^\/(dev|proc|sys)\//.test(target) && (await isWritten()))
        found.push(path)
    }
  }
  return found
}

class Search {
  readonly #folder: string
  readonly #secrets: readonly string[]
  readonly found = new Set<string>()
  looks = 0
  #searching: Promise<void> | null = null
  #stopped = false

  constructor(folder: string, secrets: readonly string[]) {
    this.#folder = folder
    this.#secrets = secrets
  }

  start(): this {
    this.#searching = this.#run()
    return this
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#searching
  }

  async look(): Promise<void> {
    const named = (await readdir(this.#folder, { recursive: true }).catch(() => [])).map((name) =>
      join(this.#folder, name),
    )
    for (const path of [...named, ...(await openFiles())]) {
      // Gone since, or a folder.
      const content = await readFile(path).catch(() => Buffer.alloc(0))
      for (const secret of this.#secrets) if (content.includes(secret)) this.found.add(`${secret} in ${path}`)
    }
    this.looks++
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.look()
      await setTimeout(pauseMs)
    }
  }
}

const unlikely = (what: string): string => `${what}_${randomBytes(8).toString('hex')}`

/** What lies in a folder, and when it was last changed: DuckDB would put a folder for what it spills there. */
async function changedSince(folder: string, sinceMs: number): Promise<string[]> {
  const names = await readdir(folder)
  const changed = await Promise.all(
    names.map(async (name) => ((await stat(join(folder, name)).catch(() => null))?.mtimeMs ?? 0) >= sinceMs),
  )
  return names.filter((name, index) => changed[index] && /duckdb|\.tmp$/i.test(name))
}

test('while points are written, put into files, merged and read', async () => {
  await using folder = await temporaryFolder()
  const sinceMs = Date.now() - 1_000
  const secrets = ['measurement', 'key', 'tag', 'field', 'text'].map(unlikely)
  const [measurement, key, tag, field, text] = secrets
  const dataKey = randomBytes(32)
  const search = new Search(folder.path, [...secrets, dataKey.toString('base64'), dataKey.toString('latin1')])
  const control = join(folder.path, 'control')
  await writeFile(control, `some ${tag} in clear`)
  await search.look()
  expect([...search.found]).toEqual([`${tag} in ${control}`])
  search.found.clear()
  await writeFile(control, '')

  search.start()
  const clock = new FakeClock()
  const engine = await openEngine(folder.path, { clock, dataKey, memoryLimitBytes: 64 * 1024 * 1024 })
  for (let round = 0; round < 9; round++) {
    const lines = Array.from({ length: 2_000 }, (_, k) => {
      // Each text is another one, so that files are of a size that takes time to write.
      const long = `${text}${randomBytes(60).toString('hex')}`
      return `${measurement},${key}=${tag}${k % 5} ${field}="${long}",v=${k} ${round * 2_000 + k}`
    })
    await write(engine, lines.join('\n'))
    await engine.flush()
  }
  const wanted = { measurement: measurement!, fields: [field!, 'v'] }
  const before = await readAll(engine, wanted)
  expect([before.length, engine.stats().files]).toEqual([18_000, 9])
  await clock.advance(5_000)
  await expect.poll(() => engine.stats().files).toBe(1)
  expect((await readAll(engine, wanted)).length).toBe(18_000)
  await engine.useDataKey(randomBytes(32))
  await engine.close()
  await search.stop()

  expect(search.looks).toBeGreaterThan(20)
  expect([...search.found]).toEqual([])
  expect((await allFiles(folder.path)).size).toBeGreaterThan(3)
  for (const place of [tmpdir(), process.cwd()]) expect(await changedSince(place, sinceMs)).toEqual([])
})

test('while DuckDB has less memory than it needs: it gives up, and what it would have spilled is nowhere', async () => {
  await using folder = await temporaryFolder()
  const sinceMs = Date.now() - 1_000
  const secret = unlikely('text')
  const queryProcess = new QueryProcess({
    program: join(import.meta.dirname, '../../storage-node/query-process/main.ts'),
    settings: await querySettings({ memoryLimitBytes: 24 * 1_048_576, blockCacheBytes: 1_048_576 }),
    clock: systemClock,
    log: silentLogger,
  })
  const search = new Search(folder.path, [secret]).start()
  function* batches(): Generator<Rows> {
    for (let batch = 0; batch < 40; batch++) {
      const values = Array.from({ length: 4_000 }, () => secret + randomBytes(150).toString('hex'))
      yield { rowCount: values.length, columns: [{ type: 'string', values, present: null }] }
    }
  }
  const columns = [{ name: 'f0', type: 'string' as const }]
  const written = queryProcess.writeParquet(join(folder.path, 'a'), randomBytes(32), columns, batches())
  await expect(written).rejects.toThrow(/memory|allocate/i)
  await queryProcess.close()
  await search.stop()
  expect(search.looks).toBeGreaterThan(5)
  expect([...search.found]).toEqual([])
  for (const place of [tmpdir(), process.cwd(), folder.path])
    expect(await changedSince(place, sinceMs)).toEqual([])
})
