import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../support/fake-clock.ts'
import {
  allFiles,
  databaseId,
  databaseState,
  openEngine,
  readAll,
  temporaryFolder,
  write,
} from './engine-support.ts'

/**
 * Promise: an acknowledged point is there, once, whatever happens to the process; two points of one series and time are
 * one, the later value of each field; and nothing of it can be read on the disk without the data key.
 */
describe('durability', () => {
  test('points are the same from the buffer, from files, and after a restart', async () => {
    await using folder = await temporaryFolder()
    let engine = await openEngine(folder.path)
    const lines = [
      'm,host=a v=1.5,i=-9223372036854775808i,u=18446744073709551615u,b=t,s="héé \\"x\\"" -5',
      'm,host=b v=-0 9223372036854775806',
      'm,host=a v=2 -9223372036854775806',
      'm b=f 0',
      'm,host=c s="\ufeff" 1',
      'm,host=c s="\ufeffa mark, and more than twelve bytes\ufeff" 2',
      'm,host=c s="\u0000" 3',
      'm,host=c s="between\u0000 more than twelve bytes" 4',
      'm,host=c s="" 5',
      'm,host=c s="twelve bytes" 6',
    ]
    expect(await write(engine, lines.join('\n'))).toEqual({ accepted: 10, problems: [] })
    const wanted = { fields: ['v', 'i', 'u', 'b', 's', 'absent'] }
    const expected = [
      '{host=a} -9223372036854775806 v=2',
      '{host=a} -5 v=1.5,i=-9223372036854775808,u=18446744073709551615,b=true,s=héé "x"',
      '{host=b} 9223372036854775806 v=-0',
      '{} 0 b=false',
      '{host=c} 1 s=\ufeff',
      '{host=c} 2 s=\ufeffa mark, and more than twelve bytes\ufeff',
      '{host=c} 3 s=\u0000',
      '{host=c} 4 s=between\u0000 more than twelve bytes',
      '{host=c} 5 s=',
      '{host=c} 6 s=twelve bytes',
    ]
    expect(await readAll(engine, wanted)).toEqual(expected)
    await engine.flush()
    expect(engine.stats().bufferedRows).toBe(0)
    expect(await readAll(engine, wanted)).toEqual(expected)
    await engine.close()
    engine = await openEngine(folder.path)
    expect(await readAll(engine, wanted)).toEqual(expected)
    expect(engine.measurements(databaseId)).toEqual([
      {
        name: 'm',
        tagKeys: ['host'],
        fields: new Map([
          ['v', 'float'],
          ['i', 'integer'],
          ['u', 'unsigned'],
          ['b', 'boolean'],
          ['s', 'string'],
        ]),
      },
    ])
    await engine.close()
  })

  test(
    'kill -9 under load, again and again: every acknowledged point is there, once',
    { timeout: 120_000 },
    async () => {
      await using folder = await temporaryFolder()
      const acknowledged = [new Set<number>(), new Set<number>(), new Set<number>()]
      for (let round = 0; round < 5; round++) {
        for (const [lane, from, end] of await runAndKill(
          folder.path,
          round * 10_000_000,
          round === 2 ? 'flushed' : 500 + round * 230,
        ))
          for (let number = from; number < end; number++) acknowledged[lane]!.add(number)
      }
      const engine = await openEngine(folder.path)
      const points = await readAll(engine, { fields: ['v', 's'] })
      expect(new Set(points).size).toBe(points.length)
      const stored = new Set(points)
      for (const [lane, numbers] of acknowledged.entries()) {
        expect(numbers.size).toBeGreaterThan(200)
        const lost = [...numbers].filter((n) => !stored.has(`{lane=${lane}} ${n} v=${n},s=${n}`))
        expect(lost).toEqual([])
      }
      expect(engine.stats().checkpoint).toBeGreaterThan(0)
      await engine.close()
    },
  )

  test('series that come a few at a time do not become a flood of dictionaries', async () => {
    await using folder = await temporaryFolder()
    let engine = await openEngine(folder.path)
    for (let round = 0; round < 40; round++) {
      await write(engine, `m,t=${round} v=${round},f${round}=1 ${round}`)
      await engine.flush()
    }
    const expected = Array.from({ length: 40 }, (_, round) => `{t=${round}} ${round} v=${round}`)
    await engine.close()
    const names = [...(await allFiles(folder.path)).keys()]
    expect(names.filter((name) => name.endsWith('.dictionary')).length).toBeLessThan(20)
    engine = await openEngine(folder.path)
    expect(await readAll(engine)).toEqual(expected)
    expect(engine.measurements(databaseId)[0]!.fields.size).toBe(41)
    await engine.close()
  })
})

test('a log that holds more than fits into memory is put into files while it is replayed', async () => {
  await using folder = await temporaryFolder()
  const engine = await openEngine(join(folder.path, 'first'), { memoryLimitBytes: 4 * 1024 ** 3 })
  const rounds = 6
  const pointsPerRound = 100_000
  for (let round = 0; round < rounds; round++) {
    const lines = Array.from(
      { length: pointsPerRound },
      (_, k) => `m,t=${k % 3} v=${k},a=1,b=2,c=3,d=4,e=5 ${round * 1e9 + k}`,
    )
    await write(engine, lines.join('\n'))
  }
  const { bufferBytes } = engine.stats()
  // As if the process had been killed now.
  await cp(join(folder.path, 'first'), join(folder.path, 'second'), { recursive: true })
  await engine.close()
  let second = await openEngine(join(folder.path, 'second'), { memoryLimitBytes: 64 * 1024 * 1024 })
  expect(bufferBytes).toBeGreaterThan(30_000_000)
  expect(second.stats().bufferBytes).toBeLessThan(26_000_000)
  expect(second.stats()).toMatchObject({ position: rounds })
  expect(second.stats().checkpoint).toBeGreaterThan(0)
  expect(await readAll(second)).toHaveLength(rounds * pointsPerRound)
  await second.close()
  second = await openEngine(join(folder.path, 'second'), { memoryLimitBytes: 64 * 1024 * 1024 })
  expect(second.stats()).toMatchObject({ bufferedRows: 0, position: rounds, checkpoint: rounds })
  expect(new Set(await readAll(second)).size).toBe(rounds * pointsPerRound)
  await second.close()
})

/** @returns what the writer said was acknowledged before it was killed */
/** @param after milliseconds after the first acknowledgement, or with the first flush */
async function runAndKill(
  folder: string,
  first: number,
  after: number | 'flushed',
): Promise<[number, number, number][]> {
  const program = join(import.meta.dirname, 'engine-writer.ts')
  const child = spawn(process.execPath, [program, folder, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  const began = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (after !== 'flushed' || output.includes(after)) resolve()
    })
  })
  await Promise.race([began, once(child, 'exit')])
  if (after !== 'flushed') await new Promise((resolve) => setTimeout(resolve, after))
  child.kill('SIGKILL')
  await once(child, 'close')
  // A line cut short by the kill was not said.
  const lines = output.split('\n').slice(0, -1)
  const written = lines.filter((line) => line !== 'flushed')
  return written.map((line) => line.split(' ').map(Number) as [number, number, number])
}

describe('refusals', () => {
  test('a field of another type: the words of InfluxDB, the other points kept, also after a replay', async () => {
    await using folder = await temporaryFolder()
    const engine = await openEngine(folder.path)
    await write(engine, 'a v=1 1')
    expect(await write(engine, 'a v="x",w=1 2\na w=2 3')).toEqual({
      accepted: 1,
      problems: [
        {
          kind: 'type-conflict',
          message:
            'field type conflict: input field "v" on measurement "a" is type string, already exists as type float',
          dropped: 1,
        },
      ],
    })
    expect(await readAll(engine, { measurement: 'a', fields: ['v', 'w'] })).toEqual(['{} 1 v=1', '{} 3 w=2'])
    await engine.close()
  })

  test('points beyond retention, and reads that hide what has expired since', async () => {
    await using folder = await temporaryFolder()
    const clock = new FakeClock()
    const engine = await openEngine(folder.path, { clock, durationNs: 3_600_000_000_000n })
    const nowNs = clock.nowNs()
    const outcome = await write(
      engine,
      `m v=1 ${nowNs - 3_600_000_000_001n}\nm v=2 ${nowNs - 3_599_000_000_000n}`,
    )
    expect(outcome).toEqual({
      accepted: 1,
      problems: [{ kind: 'outside-retention', message: 'points beyond retention policy', dropped: 1 }],
    })
    await engine.flush()
    expect(await readAll(engine)).toHaveLength(1)
    clock.jump(2_000)
    expect(await readAll(engine)).toEqual([])
    expect(engine.stats().files).toBe(1)
    await clock.advance(10_000)
    await expect.poll(() => engine.stats().files).toBe(0)
    await engine.close()
    const names = [...(await allFiles(folder.path)).keys()]
    expect(names.filter((name) => name.endsWith('.parquet'))).toEqual([])
  })

  test('limits of series and fields', async () => {
    await using folder = await temporaryFolder()
    const engine = await openEngine(folder.path, { series: 2, fields: 2 })
    expect(await write(engine, 'm,t=1 v=1 1\nm,t=2 v=1 1\nm,t=3 v=1 1\nm,t=1 v=2 2')).toEqual({
      accepted: 3,
      problems: [{ kind: 'limit', message: 'max-series-per-database limit exceeded: (2)', dropped: 1 }],
    })
    expect(await write(engine, 'm,t=1 a=1 1\nm,t=1 b=1 1')).toEqual({
      accepted: 1,
      problems: [
        {
          kind: 'limit',
          message: 'max-fields-per-measurement limit exceeded: (2) on measurement "m"',
          dropped: 1,
        },
      ],
    })
    engine.setDatabases([databaseState()], { series: 2 })
    expect((await write(engine, 'm,t=9 v=1 1')).problems).toEqual([
      { kind: 'limit', message: 'max-series-per-organization limit exceeded: (2)', dropped: 1 },
    ])
    await engine.close()
  })

  test('a database or policy that is not attached', async () => {
    await using folder = await temporaryFolder()
    const engine = await openEngine(folder.path)
    await write(engine, 'm v=1 1')
    await expect(write(engine, 'm v=1 1', 'nope')).rejects.toThrow('retention policy not found: nope')
    engine.setDatabases([])
    await expect(write(engine, 'm v=1 1')).rejects.toMatchObject({ code: 'ERR_DATABASE_NOT_FOUND' })
    expect(engine.databasesWithData()).toEqual([databaseId])
    engine.setDatabases([databaseState()])
    expect(await readAll(engine)).toEqual(['{} 1 v=1'])
    await engine.close()
  })
})

test('a deleted database is gone, from the disk too, and stays so; one made again under its id is empty', async () => {
  await using folder = await temporaryFolder()
  let engine = await openEngine(folder.path)
  await write(engine, 'm v=1 1')
  await engine.flush()
  await write(engine, 'm v=2 2')
  await engine.deleteDatabase(databaseId)
  expect([engine.databasesWithData(), engine.measurements(databaseId)]).toEqual([[], []])
  expect([...(await allFiles(folder.path)).keys()].filter((name) => name.includes('/files/'))).toEqual([])
  await write(engine, 'm v="text" 3')
  expect(await readAll(engine)).toEqual(['{} 3 v=text'])
  await engine.close()
  engine = await openEngine(folder.path)
  expect(await readAll(engine)).toEqual(['{} 3 v=text'])
  await engine.close()
})

describe('encryption', () => {
  test('no name and no value of a tenant can be found on the disk', async () => {
    await using folder = await temporaryFolder()
    const engine = await openEngine(folder.path)
    const markers = ['marker_measurement', 'marker_key', 'marker_tag', 'marker_field', 'marker_text']
    const line = (timeNs: number) =>
      `marker_measurement,marker_key=marker_tag marker_field="marker_text" ${timeNs}`
    await write(engine, Array.from({ length: 1_000 }, (_, k) => line(k)).join('\n'))
    await engine.flush()
    await write(engine, line(5_000))
    const files = await allFiles(folder.path)
    expect([...files.keys()].map((name) => name.slice(name.lastIndexOf('.'))).sort()).toContain('.parquet')
    for (const [name, content] of files)
      for (const marker of markers) expect(content.includes(marker), `${marker} in ${name}`).toBe(false)
    await engine.close()
  })

  test('another data key is refused at the start', async () => {
    await using folder = await temporaryFolder()
    const engine = await openEngine(folder.path)
    await write(engine, 'm v=1 1')
    await engine.close()
    await expect(openEngine(folder.path, { keyByte: 2 })).rejects.toMatchObject({
      code: 'ERR_DATA_KEY_WRONG',
    })
  })
})

describe('damage', () => {
  test('a flipped bit in a file is found when it is read, and named', async () => {
    await using folder = await temporaryFolder()
    const engine = await openEngine(folder.path)
    await write(engine, Array.from({ length: 5_000 }, (_, k) => `m v=${k / 7} ${k}`).join('\n'))
    await engine.flush()
    const [path] = [...(await allFiles(folder.path)).keys()].filter((name) => name.endsWith('.parquet'))
    const content = await readFile(path!)
    content[Math.floor(content.length / 2)]! ^= 1
    await writeFile(path!, content)
    await expect(readAll(engine)).rejects.toMatchObject({
      kind: 'corrupt',
      message: `${basename(path!)} is damaged: points of measurement "m" from 0 to 4999 cannot be read`,
    })
    await engine.close()
  })

  test('a read whose client goes away ends, and a query process that dies takes one read with it', async () => {
    await using folder = await temporaryFolder()
    const engine = await openEngine(folder.path)
    // More than may be on its way to the engine before it asks for more.
    const lines = Array.from({ length: 120_000 }, (_, k) => `m v=${k} ${k}`)
    await write(engine, lines.join('\n'))
    await engine.flush()
    const expected = await readAll(engine)
    expect(expected).toHaveLength(120_000)
    const aborted = new AbortController()
    const first = engine.read({ ...everything, signal: aborted.signal })
    await first.next()
    aborted.abort(new Error('the client went away'))
    await expect(first.next()).rejects.toThrow('the client went away')
    const second = engine.read({ ...everything, signal: new AbortController().signal })
    await second.next()
    for (const pid of await childProcesses()) process.kill(pid, 'SIGKILL')
    await expect(drain(second)).rejects.toMatchObject({ code: 'ERR_QUERY_PROCESS' })
    expect(await readAll(engine)).toEqual(expected)
    await engine.close()
  })
})

const everything = {
  databaseId,
  retentionPolicy: 'autogen',
  measurement: 'm',
  seriesIds: [0],
  fields: ['v'],
  minTimeNs: 0n,
  maxTimeNs: 120_000n,
}

async function drain(blocks: AsyncIterable<unknown>): Promise<number> {
  let count = 0
  for await (const _ of blocks) count++
  return count
}

async function childProcesses(): Promise<number[]> {
  const text = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
  return text.trim().split(' ').map(Number)
}
