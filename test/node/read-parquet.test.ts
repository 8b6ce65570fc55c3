import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../scripts/run.ts'
import { Keyring } from '../../storage-node/crypto/keyring.ts'
import { everyTimeNs } from '../../storage-node/engine/tombstones.ts'
import { decodeManifest } from '../../storage-node/files/manifest.ts'
import { ensurePythonPackages } from '../support/python-packages.ts'
import { databaseId, openEngine, readAll, temporaryFolder, write } from './engine-support.ts'

/** Promise: whoever has the data key can read all points with common tools, without anything of ours. */

const packages = ['cryptography==50.0.2', 'duckdb==1.5.5', 'zstandard==0.25.0']
const script = join(import.meta.dirname, '../../docs/formats/read-parquet.py')

interface Printed {
  readonly file: string
  readonly measurement: string
  readonly rows: number
  readonly minTimeNs: string
  readonly maxTimeNs: string
  readonly values: Readonly<Record<string, number>>
  readonly series: readonly { readonly tags: readonly string[]; readonly rows: number }[]
}

async function readWithPython(data: string, keyFile: string): Promise<Printed[]> {
  const env = { PYTHONPATH: await ensurePythonPackages('python-parquet', packages) }
  const output = await run('python3', [script, data, keyFile], { env, timeoutMs: 60_000 })
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Printed)
}

const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0)

test('the documented script reads all files of a folder, with the names of their series and fields', async () => {
  await using folder = await temporaryFolder()
  const dataKey = new Uint8Array(32).fill(7)
  const keyFile = join(folder.path, 'key')
  await writeFile(keyFile, `${Buffer.from(dataKey).toString('base64')}\n`)
  await writeFile(join(folder.path, 'organization-id'), '0123456789abcdef\n')
  const dataFolder = join(folder.path, 'engine')
  const engine = await openEngine(dataFolder, { dataKey })
  // Two dictionaries, several shards, every type, series without tags, names that have to be escaped.
  for (let day = 0; day < 3; day++) {
    const lines = Array.from({ length: 500 }, (_, k) => {
      const timeNs = BigInt(day) * 86_400_000_000_000n + BigInt(k)
      return `m,host=h${k % 5},day=${day} v=${k}.5,whole=${k} ${timeNs}`
    })
    await write(engine, lines.join('\n'))
    await write(engine, `b\\ c,t=ä\\,\\="x i=${day}i,u=18446744073709551615u,ok=true,s="a \\"b" -${day + 1}`)
    await write(engine, `m other=1 ${day}`)
    await engine.flush()
  }
  const counted = { m: await readAll(engine, { fields: ['v', 'other'] }) }
  await engine.close()

  const printed = await readWithPython(folder.path, keyFile)

  const keyring = new Keyring('0123456789abcdef', dataKey)
  const manifest = decodeManifest(await readFile(join(dataFolder, 'manifest')), keyring, 'manifest')
  expect(manifest.dictionaries.length).toBeGreaterThan(1)
  const told = ({
    measurement,
    rows,
    minTimeNs,
    maxTimeNs,
  }: Omit<Printed, 'file' | 'values' | 'series'>) => ({
    measurement,
    rows,
    minTimeNs,
    maxTimeNs,
  })
  expect(printed.map((each) => [each.file, told(each)])).toEqual(
    manifest.files.map((entry) => [entry.name, told(entry)]),
  )
  const rowsOf = (measurement: string) => printed.filter((each) => each.measurement === measurement)
  expect(sum(rowsOf('m').map(({ rows }) => rows))).toBe(counted.m.length)
  expect(sum(rowsOf('m').map(({ values }) => values['v'] ?? 0))).toBe(1500)
  const rowsBySeries = new Map<string, number>()
  for (const { series } of printed)
    for (const { tags, rows } of series)
      rowsBySeries.set(tags.join(' '), (rowsBySeries.get(tags.join(' ')) ?? 0) + rows)
  expect(rowsBySeries.get('day 2 host h4')).toBe(100)
  expect(rowsBySeries.get('t ä,="x')).toBe(3)
  expect(rowsBySeries.get('')).toBe(3)

  // Of what was deleted since, files still hold all.
  const again = await openEngine(dataFolder, { dataKey })
  const generation = again.generation(databaseId)
  const request = { databaseId, generation, retentionPolicy: null, measurement: 'm', seriesIds: [0, 2] }
  await again.delete({ ...request, ...everyTimeNs })
  await again.delete({ ...request, measurement: null, seriesIds: null, minTimeNs: 0n, maxTimeNs: 100n })
  await again.flush()
  const left = await readAll(again, { fields: ['v', 'other'] })
  expect([left.length, again.stats().tombstones]).toEqual([1240, 2])
  await again.close()
  const less = await readWithPython(folder.path, keyFile)
  expect(sum(less.filter(({ measurement }) => measurement === 'm').map(({ rows }) => rows))).toBe(left.length)

  await writeFile(keyFile, `${Buffer.alloc(32, 8).toString('base64')}\n`)
  await expect(readWithPython(folder.path, keyFile)).rejects.toThrow('KeyError')
})
