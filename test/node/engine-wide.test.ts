import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { temporaryFolder } from './engine-support.ts'

/**
 * Promise: a line with very many fields beside many lines with few costs memory for what was written, not for rows
 * times fields: not when it comes, not when the log is replayed after a kill, and not when it is put into files.
 */

const heapMegabytes = 96

const start = (what: 'write' | 'read', folder: string) =>
  spawn(
    process.execPath,
    [
      `--max-old-space-size=${heapMegabytes}`,
      join(import.meta.dirname, 'engine-wide-process.ts'),
      what,
      folder,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )

test('998 fields in one line, 60,000 lines with one field', async () => {
  await using folder = await temporaryFolder()
  const writer = start('write', folder.path)
  const gone = once(writer, 'exit')
  await Promise.race([once(writer.stdout, 'data'), gone])
  expect(writer.exitCode).toBeNull()
  writer.kill('SIGKILL')
  await gone
  const said = await text(start('read', folder.path).stdout)
  const found = {
    rows: 60_001,
    ends: ['{} 1 v=1', '{} 60000 v=60000', '{} 60001 late=1'],
    wide: ['{} 0 s0=v0,s500=v500,s997=v997'],
  }
  expect(JSON.parse(said)).toEqual({ inLog: found, inFiles: found, files: 2, bufferedRows: 0 })
})
