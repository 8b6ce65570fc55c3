import { LineParser } from '../../storage-node/line-protocol/line-parser.ts'
import { databaseId, openEngine, readAll } from './engine-support.ts'

/**
 * A process that the test of wide lines starts with a small heap. `write` writes one line with many fields and many
 * with one, says so and waits to be killed; `read` says what is there, out of the log and then out of files.
 * Arguments: what to do, data folder.
 */
const [what, folder] = process.argv.slice(2)
const wideFields = 998
const narrowRows = 60_000
const rowsPerBody = 20_000

async function write(): Promise<void> {
  const engine = await openEngine(folder!, { memoryLimitBytes: 256 * 1024 * 1024 })
  const parser = new LineParser(1_000)
  const send = async (lines: readonly string[]) => {
    const pieces = [Buffer.from(lines.join('\n'))]
    const body = { isWhole: true, take: () => pieces.splice(0) }
    for (const batch of parser.parse(body, { precision: 'ns', nowNs: 0n }))
      await engine.write({ databaseId, retentionPolicy: null, batch })
  }
  await send([`m s${Array.from({ length: wideFields }, (_, k) => `${k}="v${k}"`).join(',s')} 0`])
  for (let from = 1; from <= narrowRows; from += rowsPerBody)
    await send(Array.from({ length: rowsPerBody }, (_, k) => `m v=${from + k} ${from + k}`))
  // A field that comes late has no values for the rows before it.
  await send([`m late=1 ${narrowRows + 1}`])
  process.stdout.write('written\n')
  setInterval(() => undefined, 60_000)
}

async function read(): Promise<void> {
  const engine = await openEngine(folder!, { memoryLimitBytes: 256 * 1024 * 1024 })
  const found = async () => {
    const narrow = await readAll(engine, { fields: ['v', 'late'] })
    const wide = await readAll(engine, { fields: ['s0', 's500', 's997'] })
    return { rows: narrow.length, ends: [narrow[0], narrow.at(-2), narrow.at(-1)], wide }
  }
  const inLog = await found()
  await engine.flush()
  const inFiles = await found()
  const { files, bufferedRows } = engine.stats()
  await engine.close()
  process.stdout.write(JSON.stringify({ inLog, inFiles, files, bufferedRows }))
}

await (what === 'write' ? write() : read())
