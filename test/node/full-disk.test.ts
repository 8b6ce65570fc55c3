import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { messageOf } from '../../common/errors.ts'
import { startStorageNode, untilReady, type NodeProcess } from '../support/storage-node.ts'
import { makeVolume, type Volume } from '../support/volume.ts'

/**
 * Promise: on a full disk a node says so, serves and deletes, and is back to normal by itself when there is space; on one
 * that fails it ends at once, and what it has acknowledged is there after a restart.
 */

const mebibyte = 1_048_576
const sizeMebibytes = 192

let reason = ''
const volume = await makeVolume(sizeMebibytes).catch((error: unknown): null => {
  reason = messageOf(error)
  return null
})

async function ask(node: NodeProcess, q: string): Promise<{ error?: string; values: unknown[] }> {
  const query = new URLSearchParams({ db: 'd', q, epoch: 'ns' })
  const response = await fetch(`http://127.0.0.1:${node.port}/query?${query.toString()}`, { method: 'POST' })
  const answer = (await response.json()) as {
    results: { error?: string; series?: { values: unknown[] }[] }[]
  }
  const { error, series = [] } = answer.results[0]!
  return { ...(error !== undefined && { error }), values: series.flatMap(({ values }) => values) }
}

const write = (node: NodeProcess, body: string, db = 'd') =>
  fetch(`http://127.0.0.1:${node.port}/write?db=${db}`, { method: 'POST', body })

const statusOfWrite = async (node: NodeProcess, value: number): Promise<number> =>
  (await write(node, `m v=${value} ${value}`)).status

async function start(data: string): Promise<NodeProcess> {
  const node = await startStorageNode(['--data', data, '--listen', '127.0.0.1:0', '--auth', 'off'])
  await untilReady(node.port)
  return node
}

const within = { timeout: 60_000, interval: 100 }

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** About 4 MiB that no compression makes smaller. */
async function writeMuch(node: NodeProcess, db: string): Promise<void> {
  for (let batch = 0; batch < 4; batch++) {
    const lines = Array.from(
      { length: 20_000 },
      (_, k) => `much a=${Math.random()},b=${Math.random()},c=${Math.random()} ${batch * 20_000 + k}`,
    )
    const response = await write(node, lines.join('\n'), db)
    expect(response.status).toBe(204)
  }
}

describe.skipIf(volume === null)(`a disk of ${sizeMebibytes} MiB${reason && `: ${reason}`}`, () => {
  const disk = volume as Volume
  const data = join(volume?.path ?? '', 'data')
  const ballast = join(data, 'engine', 'ballast')
  const nodes: NodeProcess[] = []
  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.kill()
    await disk.empty()
  })
  afterAll(() => volume?.remove())

  test('full: writes are refused, queries and deletes are not, and it is back by itself', async () => {
    let node = await start(data)
    nodes.push(node)
    for (const db of ['d', 'large']) await ask(node, `CREATE DATABASE ${db}`)
    expect(await statusOfWrite(node, 1)).toBe(204)
    await writeMuch(node, 'large')
    await expect.poll(() => isThere(ballast), within).toBe(true)

    await disk.fill(8 * mebibyte)
    await expect.poll(() => statusOfWrite(node, 2), within).toBe(503)
    const refused = await write(node, 'm v=3 3')
    expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toEqual([
      503,
      '2',
      { error: 'less than 5 % of the disk is free: writes wait for space' },
    ])
    expect((await fetch(`http://127.0.0.1:${node.port}/ready`)).status).toBe(200)
    const served = await ask(node, 'SELECT v FROM m WHERE v = 1')
    expect(served).toEqual({ values: [[1, 1]] })

    // Filled while nothing runs: a node that gave up its ballast meanwhile would lose that to the filling as well.
    await node.kill()
    await disk.fill(0)
    node = await start(data)
    nodes.push(node)
    expect(await ask(node, 'SELECT v FROM m WHERE v = 1')).toEqual(served)
    expect(await statusOfWrite(node, 4)).toBe(503)
    await expect.poll(() => ask(node, 'DROP DATABASE large'), within).toEqual({ values: [] })
    expect(await isThere(ballast)).toBe(false)
    expect(await ask(node, 'SHOW DATABASES')).toEqual({ values: [['d']] })

    await disk.empty()
    await expect.poll(() => statusOfWrite(node, 5), within).toBe(204)
    expect((await ask(node, 'SELECT v FROM m WHERE v = 1 OR v = 5')).values).toEqual([
      [1, 1],
      [5, 5],
    ])
    expect(await node.stop()).toBe(0)
  })

  test('failing: the process ends with one clear line, and a restart has all that was acknowledged', async () => {
    let node = await start(data)
    nodes.push(node)
    expect(await statusOfWrite(node, 6)).toBe(204)
    await disk.fail()
    await statusOfWrite(node, 7).catch(() => undefined)
    expect(await node.exited).toBe(1)
    const fatal = node.log.filter(({ level }) => level === 'fatal')
    expect(fatal).toMatchObject([{ msg: 'the state on disk is not known any more', err: { code: 'EROFS' } }])
    await disk.remount()
    node = await start(data)
    nodes.push(node)
    expect(await ask(node, 'SELECT v FROM m WHERE v = 6')).toEqual({ values: [[6, 6]] })
    expect(await statusOfWrite(node, 8)).toBe(204)
    expect(await node.stop()).toBe(0)
  })
})
