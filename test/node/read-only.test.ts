import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ensureDuckdbExtension } from '../../scripts/duckdb-extension.ts'
import { startStorageNode, untilReady, type NodeProcess } from '../support/storage-node.ts'
import { allFiles, temporaryFolder } from './engine-support.ts'

/**
 * Promise: whatever is damaged on the disk, a node says which file and where, serves what is provably good, changes
 * nothing, and is back to normal when the damage is repaired.
 */

let folder: Awaited<ReturnType<typeof temporaryFolder>>
/** The data of a node that was killed: in each database one measurement in files, one in the log. */
let written: string
let copies = 0

const flags = (data: string) => ['--data', data, '--listen', '127.0.0.1:0', '--auth', 'off']

async function ask(node: NodeProcess, q: string, db = 'a'): Promise<unknown> {
  const query = new URLSearchParams({ db, q, epoch: 'ns' })
  const response = await fetch(`http://127.0.0.1:${node.port}/query?${query.toString()}`, { method: 'POST' })
  const { results } = (await response.json()) as { results: { error?: string; series?: object[] }[] }
  const [result] = results
  if (result?.error !== undefined) return result.error
  return (result?.series as { values: unknown[][] }[] | undefined)?.flatMap(({ values }) => values) ?? []
}

const write = (node: NodeProcess, body: string, db = 'a') =>
  fetch(`http://127.0.0.1:${node.port}/write?db=${db}`, { method: 'POST', body })

async function start(data: string): Promise<NodeProcess> {
  const node = await startStorageNode(flags(data))
  await untilReady(node.port)
  return node
}

beforeAll(async () => {
  folder = await temporaryFolder()
  written = join(folder.path, 'written')
  let node = await start(written)
  for (const db of ['a', 'b']) {
    await ask(node, `CREATE DATABASE ${db}`)
    await write(node, 'old v=1 1\nold v=2 2', db)
  }
  // A stop puts what is there into files.
  await node.stop()
  node = await start(written)
  for (const v of [3, 4, 5]) {
    for (const db of ['a', 'b']) await write(node, `new v=${v} ${v}`, db)
  }
  await node.kill()
})
afterAll(() => folder[Symbol.asyncDispose]())

/** A copy of the data, with its key, in which somebody changes something. */
async function damagedCopy(): Promise<{ data: string; engine: string }> {
  const data = join(folder.path, `copy${copies++}`)
  await cp(written, data, { recursive: true })
  await cp(`${written}.key`, `${data}.key`)
  return { data, engine: join(data, 'engine') }
}

async function filesOf(engine: string, below: string, suffix: string): Promise<string[]> {
  const names = (await readdir(join(engine, below))).filter((name) => name.endsWith(suffix)).sort()
  return names.map((name) => join(engine, below, name))
}

async function flipBit(path: string, share: number): Promise<void> {
  const content = await readFile(path)
  content[Math.floor(content.length * share)]! ^= 1
  await writeFile(path, content)
}

async function expectReadOnly(node: NodeProcess, file: string, offset: RegExp): Promise<void> {
  const refused = await write(node, 'new v=9 9')
  expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([503, 2])
  const { error } = (await refused.json()) as { error: string }
  expect(error).toMatch(/^the node is read-only: /)
  expect(error).toContain(file)
  expect(error).toMatch(offset)
  const ready = await fetch(`http://127.0.0.1:${node.port}/ready`)
  expect(ready.status).toBe(200)
  expect(await ready.json()).toMatchObject({ status: 'ready', readOnly: true, damage: [{ file }] })
  const health = await fetch(`http://127.0.0.1:${node.port}/health`)
  expect([health.status, ((await health.json()) as { message: string }).message]).toEqual([
    200,
    'ready for queries, read-only',
  ])
}

describe('a damaged log', () => {
  test('what lies before the damage is served, what lies behind it stays, and repaired it is whole', async () => {
    const { data, engine } = await damagedCopy()
    const [log] = await filesOf(engine, 'log', '.log')
    const whole = await readFile(log!)
    // Six records of one size follow a short header: this is in the fourth.
    await flipBit(log!, 0.65)
    const before = await allFiles(engine)
    let node = await start(data)
    await expectReadOnly(node, `log/${log!.split('/').at(-1)}`, /at byte [1-9]\d+: the record is damaged$/)
    expect(await ask(node, 'SELECT v FROM old')).toEqual([
      [1, 1],
      [2, 2],
    ])
    const served = [await ask(node, 'SELECT v FROM new', 'a'), await ask(node, 'SELECT v FROM new', 'b')]
    const points = [3, 4, 5].map((v) => [v, v])
    expect([
      [points.slice(0, 2), points.slice(0, 1)],
      [points.slice(0, 1), points.slice(0, 1)],
    ]).toContainEqual(served)
    for (const text of ['DROP DATABASE b', 'DELETE FROM old', 'DROP MEASUREMENT old'])
      expect(await ask(node, text)).toMatch(/^the node is read-only: /)
    expect(await ask(node, 'SHOW DATABASES')).toEqual([['a'], ['b']])
    expect(await ask(node, 'SELECT v FROM old', 'b')).toHaveLength(2)
    expect(await node.stop()).toBe(0)
    expect(await allFiles(engine)).toEqual(before)
    await writeFile(log!, whole)
    node = await start(data)
    expect(await ask(node, 'SELECT v FROM new')).toEqual(points)
    expect((await write(node, 'new v=6 6')).status).toBe(204)
    expect(await node.stop()).toBe(0)
  })
})

describe('a damaged file', () => {
  test('one that is missing: an error for its points, everything else is served', async () => {
    const { data, engine } = await damagedCopy()
    const [parquet] = await filesOf(engine, 'files', '.parquet')
    const name = parquet!.split('/').at(-1)!
    await rm(parquet!)
    const node = await start(data)
    await expectReadOnly(node, `files/${name}`, /: it is missing$/)
    const answers = [await ask(node, 'SELECT v FROM old', 'a'), await ask(node, 'SELECT v FROM old', 'b')]
    const error = `${name} is damaged: points of measurement "old" from 1 to 2 cannot be read`
    expect(answers).toContain(error)
    const whose = answers[0] === error ? 'a' : 'b'
    for (const text of ['count(v)', 'mean(v)', 'last(v)', 'v + 1'])
      expect(await ask(node, `SELECT ${text} FROM old`, whose), text).toBe(error)
    expect(await ask(node, 'SELECT v FROM old WHERE time > 2', whose)).toEqual([])
    expect(answers).toContainEqual([
      [1, 1],
      [2, 2],
    ])
    expect(await ask(node, 'SELECT v FROM new')).toHaveLength(3)
    expect(await node.stop()).toBe(0)
  })

  test('one with a flipped bit is found when it is read; from then on nothing is changed', async () => {
    const { data, engine } = await damagedCopy()
    const parquets = await filesOf(engine, 'files', '.parquet')
    for (const path of parquets) await flipBit(path, 0.5)
    const node = await start(data)
    expect((await write(node, 'new v=6 6')).status).toBe(204)
    expect(await ask(node, 'SELECT v FROM old')).toMatch(
      /is damaged: points of measurement "old" from 1 to 2/,
    )
    const refused = await write(node, 'new v=7 7')
    expect([refused.status, await refused.text()]).toEqual([
      503,
      expect.stringContaining('its content is not what was written'),
    ])
    expect(await ask(node, 'SELECT v FROM new')).toHaveLength(4)
    expect(await node.stop()).toBe(0)
  })

  test('a dictionary: its database is an error, the other one is served', async () => {
    const { data, engine } = await damagedCopy()
    const [dictionary] = await filesOf(engine, 'files', '.dictionary')
    await flipBit(dictionary!, 0.5)
    const node = await start(data)
    await expectReadOnly(node, `files/${dictionary!.split('/').at(-1)}`, /: it is damaged$/)
    const answers = [await ask(node, 'SELECT v FROM new', 'a'), await ask(node, 'SELECT v FROM new', 'b')]
    expect(answers).toContainEqual(expect.stringContaining('not all series of the database are known'))
    expect(answers).toContainEqual([3, 4, 5].map((v) => [v, v]))
    expect(await node.stop()).toBe(0)
  })
})

describe('a damaged manifest', () => {
  test('one of the two: everything is served, and it is there again', async () => {
    const { data, engine } = await damagedCopy()
    const whole = await readFile(join(engine, 'manifest'))
    await flipBit(join(engine, 'manifest'), 0.5)
    const node = await start(data)
    expect(await ask(node, 'SELECT v FROM old')).toHaveLength(2)
    expect((await write(node, 'new v=6 6')).status).toBe(204)
    await node.kill()
    expect((await readFile(join(engine, 'manifest'))).equals(whole)).toBe(true)
  })

  test('both: the start is refused, naming the file', async () => {
    const { data, engine } = await damagedCopy()
    for (const name of ['manifest', 'manifest.copy']) await flipBit(join(engine, name), 0.5)
    const child = spawn(process.execPath, ['storage-node/main.ts', ...flags(data)], {
      env: { ...process.env, HOLDFAST_DUCKDB_EXTENSION: await ensureDuckdbExtension() },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    const [code] = (await once(child, 'close')) as [number | null]
    expect([code, said]).toEqual([
      1,
      `engine did not start: ${join(engine, 'manifest')}: its checksum is wrong\n`,
    ])
  })
})
