import { expect, test } from 'vitest'
import { readDataKeys, writeDataKeys } from './data-key-file.ts'
import { MemoryDisk } from './disk/memory-disk.ts'

/** Promise: a data key file holds whole keys and nothing else, or is refused by name, and no error shows what it holds. */

const keys = [1, 2].map((byte) => Buffer.alloc(32, byte))
const [first, second] = keys.map((key) => key.toString('base64'))

async function read(content: string) {
  const disk = new MemoryDisk()
  await disk.makeFolder('/k')
  await disk.replace('/k/key', Buffer.from(content))
  return readDataKeys(disk, '/k/key')
}

test('what is written is read again', async () => {
  const disk = new MemoryDisk()
  await disk.makeFolder('/k')
  await writeDataKeys(disk, '/k/key', { dataKey: keys[1]!, olderDataKeys: [keys[0]!] })
  expect(await readDataKeys(disk, '/k/key')).toEqual({ dataKey: keys[1], olderDataKeys: [keys[0]] })
})

test.each([
  ['one line', `${first}`, [0]],
  ['a line feed at the end', `${first}\n`, [0]],
  ['lines of another system', `${second}\r\n${first}\r\n`, [1, 0]],
  ['an empty line between', `${second}\n\n${first}\n`, [1, 0]],
])('%s', async (_name, content, expected) => {
  const { dataKey, olderDataKeys } = await read(content)
  expect([dataKey, ...olderDataKeys]).toEqual(expected.map((index) => keys[index]))
})

test.each([
  ['nothing', '', 'base64 of 32 bytes expected'],
  ['31 bytes', Buffer.alloc(31, 1).toString('base64'), 'base64 of 32 bytes expected'],
  ['without padding', first!.slice(0, -1), 'base64 of 32 bytes expected'],
  ['a digit that no encoder writes', first!.replace('E=', 'F='), 'base64 of 32 bytes expected'],
  ['two on a line', `${first} ${second}`, 'base64 of 32 bytes expected'],
  ['a second line that is none', `${first}\n${second}x`, 'base64 of 32 bytes expected in line 2'],
  ['too many', Array.from({ length: 9 }, () => first).join('\n'), 'more than 8 lines'],
])('refused: %s', async (_name, content, reason) => {
  const error: unknown = await read(content).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'ERR_DATA_KEY_FILE', message: `data key file /k/key: ${reason}` })
  expect(String(error)).not.toContain('AQEB')
})

test('one that is not there is told by name', async () => {
  await expect(readDataKeys(new MemoryDisk(), '/k/key')).rejects.toMatchObject({
    code: 'ERR_DATA_KEY_FILE',
    message: 'data key file /k/key: cannot be read',
  })
})
