import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { Keyring } from '../crypto/keyring.ts'
import { DamageList } from '../disk/damage.ts'
import { MemoryDisk, type DiskStep } from '../disk/memory-disk.ts'
import { Log, type LogOptions } from './log.ts'

/**
 * Promise: what was acknowledged is replayed, exactly and in order, up to damage, which is named with file and offset;
 * a damaged log is left as it is.
 */

const folder = '/data/log'
const keyring = new Keyring('0123456789abcdef', new Uint8Array(32).fill(1))

interface Opened {
  readonly log: Log
  readonly replayed: readonly string[]
  readonly damage: DamageList
}

async function open(disk: MemoryDisk, checkpoint = 0, options: Partial<LogOptions> = {}): Promise<Opened> {
  const replayed: string[] = []
  const damage = options.damage ?? new DamageList(silentLogger)
  const log = await Log.open(
    { disk, folder, keyring, log: silentLogger, onFatal: () => undefined, ...options, damage },
    checkpoint,
    (position, payload) => replayed.push(`${position}:${Buffer.from(payload).toString()}`),
  )
  return { log, replayed, damage }
}

const put = (log: Log, text: string): Promise<number> => log.append(Buffer.from(text), (position) => position)

function segments(disk: MemoryDisk): string[] {
  return [...disk.files.keys()].filter((path) => path.endsWith('.log')).sort()
}

/** A log with records a, b, c, as a killed process leaves it. */
async function written(): Promise<{ disk: MemoryDisk; path: string }> {
  const disk = new MemoryDisk()
  const { log } = await open(disk)
  for (const text of ['a', 'b', 'c']) await put(log, text)
  return { disk, path: segments(disk)[0]! }
}

function change(disk: MemoryDisk, path: string, edit: (content: Buffer) => Buffer): void {
  disk.files.set(path, edit(Buffer.from(disk.content(path))))
}

describe('replay', () => {
  test('an empty folder is an empty log', async () => {
    const { log, replayed } = await open(new MemoryDisk())
    expect([log.position, replayed]).toEqual([0, []])
  })

  test('records come back in order, over several starts', async () => {
    const { disk } = await written()
    const second = await open(disk)
    expect(second.replayed).toEqual(['1:a', '2:b', '3:c'])
    expect(await put(second.log, 'd')).toBe(4)
    expect((await open(disk)).replayed).toEqual(['1:a', '2:b', '3:c', '4:d'])
  })

  test('records up to the checkpoint are left out', async () => {
    const { disk } = await written()
    expect((await open(disk, 2)).replayed).toEqual(['3:c'])
  })

  test('a start without a write leaves nothing behind', async () => {
    const { disk } = await written()
    for (let start = 0; start < 5; start++) await open(disk)
    expect(segments(disk)).toHaveLength(2)
  })

  test('records go on over segments of a limited size', async () => {
    const disk = new MemoryDisk()
    const { log } = await open(disk, 0, { segmentBytes: 220 })
    const texts = Array.from({ length: 10 }, (_, index) => `record ${index}`)
    for (const text of texts) await put(log, text)
    expect(segments(disk).length).toBeGreaterThan(2)
    expect((await open(disk)).replayed).toEqual(texts.map((text, index) => `${index + 1}:${text}`))
  })

  test('nothing of a record can be read in the file', async () => {
    const disk = new MemoryDisk()
    const { log } = await open(disk)
    await put(log, 'marker-of-a-tenant')
    for (const content of disk.files.values()) expect(content.includes('marker')).toBe(false)
  })

  test('another data key is refused as such', async () => {
    const { disk } = await written()
    const other = new Keyring('0123456789abcdef', new Uint8Array(32).fill(2))
    await expect(open(disk, 0, { keyring: other })).rejects.toMatchObject({ code: 'ERR_DATA_KEY_WRONG' })
  })
})

/** Fails the given step on files of this kind, once. */
function failOnce(disk: MemoryDisk, step: DiskStep, suffix: string, code: string): void {
  disk.onStep = (each, path) => {
    if (each !== step || !path.endsWith(suffix)) return
    disk.onStep = () => undefined
    throw Object.assign(new Error(code), { code })
  }
}

describe('loss of power', () => {
  test('what a start has replayed stays, also if only the kill before it had left it', async () => {
    const disk = new MemoryDisk()
    const { log } = await open(disk)
    await put(log, 'a')
    failOnce(disk, 'sync', '.log', 'EIO')
    await expect(put(log, 'b')).rejects.toThrow('the log takes no more writes')
    const second = await open(disk)
    expect(second.replayed).toEqual(['1:a', '2:b'])
    await put(second.log, 'c')
    disk.powerLoss()
    expect((await open(disk)).replayed).toEqual(['1:a', '2:b', '3:c'])
  })

  test('what a start has replayed stays, also if a sync of it had failed before', async () => {
    const { disk } = await written()
    const first = await open(disk)
    disk.failNext('sync', 'EIO')
    await expect(put(first.log, 'd')).rejects.toMatchObject({ code: 'ERR_LOG_FAILED' })
    const second = await open(disk)
    expect(second.replayed).toEqual(['1:a', '2:b', '3:c', '4:d'])
    await put(second.log, 'e')
    disk.powerLoss()
    expect((await open(disk)).replayed).toEqual([...second.replayed, '5:e'])
  })

  test('what was not synced is gone, and writing goes on', async () => {
    const disk = new MemoryDisk()
    const { log } = await open(disk)
    await put(log, 'a')
    failOnce(disk, 'sync', '.log', 'EIO')
    await expect(put(log, 'b')).rejects.toThrow('the log takes no more writes')
    disk.powerLoss()
    const second = await open(disk)
    expect(second.replayed).toEqual(['1:a'])
    expect(await put(second.log, 'c')).toBe(2)
  })
})

describe('damage', () => {
  test('a tail that no sync had covered is cut, wherever it was torn, and writing goes on', async () => {
    const disk = new MemoryDisk()
    const { log } = await open(disk)
    for (const text of ['a', 'b', 'c']) await put(log, text)
    const [path] = segments(disk)
    const syncedBytes = disk.content(path!).length
    const synced = Buffer.from(disk.content(`${path}.synced`))
    await put(log, 'd')
    const whole = Buffer.from(disk.content(path!))
    for (let length = syncedBytes; length < whole.length; length++) {
      const torn = new MemoryDisk()
      torn.files.set(path!, whole.subarray(0, length))
      torn.files.set(`${path}.synced`, synced)
      const again = await open(torn)
      expect(again.replayed).toEqual(['1:a', '2:b', '3:c'])
      expect(await put(again.log, 'e')).toBe(4)
      expect((await open(torn)).replayed).toEqual(['1:a', '2:b', '3:c', '4:e'])
    }
  })

  test('a flipped bit anywhere: what is before it is served, and the log takes nothing and stays as it is', async () => {
    const { disk, path } = await written()
    const size = disk.content(path).length
    const recordBytes = 24 + 1 + 16
    const headerBytes = size - 3 * recordBytes
    for (let at = 0; at < size; at++) {
      const flipped = new MemoryDisk(disk)
      change(flipped, path, (content) => {
        content[at]! ^= 1
        return content
      })
      const before = new Map(flipped.files)
      const { log, replayed, damage } = await open(flipped)
      const whole = Math.max(0, Math.floor((at - headerBytes) / recordBytes))
      const message = `byte ${at}`
      expect(replayed, message).toEqual(['1:a', '2:b', '3:c'].slice(0, whole))
      expect(damage.found, message).toEqual([
        {
          file: 'log/0000000000000001.log',
          offsetBytes: at < headerBytes ? 0 : headerBytes + whole * recordBytes,
          what: expect.stringMatching(/damaged|not its name/),
        },
      ])
      await expect(put(log, 'x')).rejects.toMatchObject({ kind: 'unavailable', code: 'ERR_READ_ONLY' })
      log.roll()
      await log.removeThrough(log.position)
      await log.close()
      expect(flipped.files).toEqual(before)
      expect(flipped.openFiles).toBe(0)
    }
    expect((await open(disk)).replayed).toHaveLength(3)
  })

  test('once the damage is repaired the log is whole and takes records again', async () => {
    const { disk, path } = await written()
    const whole = Buffer.from(disk.content(path))
    change(disk, path, (content) => content.fill(0, content.length - 30))
    expect((await open(disk)).replayed).toEqual(['1:a', '2:b'])
    disk.files.set(path, whole)
    const { log, replayed } = await open(disk)
    expect(replayed).toEqual(['1:a', '2:b', '3:c'])
    expect(await put(log, 'd')).toBe(4)
  })

  test.each([0, 10, -1])('a file cut to %i bytes below the synced length is damage', async (length) => {
    const { disk, path } = await written()
    change(disk, path, (content) => content.subarray(0, length))
    expect((await open(disk)).damage.found).toMatchObject([
      { offsetBytes: disk.content(path).length, what: expect.stringContaining('bytes were synced') },
    ])
  })

  test('records behind a segment that is missing are not served, and stay', async () => {
    const { disk, path } = await written()
    const second = await open(disk)
    await put(second.log, 'd')
    disk.files.delete(path)
    const { replayed, damage } = await open(disk)
    expect(replayed).toEqual([])
    expect(damage.found).toMatchObject([{ what: 'positions from 1 on are missing' }])
    expect(segments(disk)).toHaveLength(1)
  })

  test('a segment that the device cannot read is damage, and one that cannot be read now is none', async () => {
    const { disk } = await written()
    const read = disk.read.bind(disk)
    disk.read = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }))
    expect((await open(disk)).damage.found).toMatchObject([{ offsetBytes: 0, what: 'it cannot be read' }])
    disk.read = () => Promise.reject(Object.assign(new Error('EMFILE'), { code: 'EMFILE' }))
    await expect(open(disk)).rejects.toThrow('EMFILE')
    disk.read = read
    expect((await open(disk)).replayed).toHaveLength(3)
  })

  test('where something else is damaged, a torn tail is not cut either', async () => {
    const { disk, path } = await written()
    disk.files.delete(`${path}.synced`)
    change(disk, path, (content) => content.subarray(0, content.length - 5))
    const before = new Map(disk.files)
    const damage = new DamageList(silentLogger)
    damage.add({ file: 'files/x', offsetBytes: null, what: 'it is missing' })
    expect((await open(disk, 0, { damage })).replayed).toEqual(['1:a', '2:b'])
    expect(disk.files).toEqual(before)
  })

  test('a segment that was begun and never finished is no damage', async () => {
    const { disk } = await written()
    await disk.create(`${folder}/0000000000000004.log`)
    const { log, replayed } = await open(disk)
    expect(replayed).toHaveLength(3)
    expect(await put(log, 'd')).toBe(4)
  })
})

describe('writing', () => {
  test('writers that wait together share one sync, in the order in which they came', async () => {
    const disk = new MemoryDisk()
    const { log } = await open(disk)
    const before = disk.syncs
    const order: number[] = []
    const positions = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        log.append(Buffer.from('x'), (position) => {
          order.push(index)
          return position
        }),
      ),
    )
    expect(disk.syncs - before).toBeLessThanOrEqual(2)
    expect(order).toEqual([...order].sort((a, b) => a - b))
    expect(positions).toEqual(order.map((index) => index + 1))
  })

  test('a record is not applied before its sync', async () => {
    const disk = new MemoryDisk()
    const { log } = await open(disk)
    const before = disk.syncs
    await log.append(Buffer.from('x'), () => expect(disk.syncs).toBe(before + 1))
    expect.assertions(1)
  })

  test('a full disk is told, taken back, and writing goes on when there is room', async () => {
    const disk = new MemoryDisk()
    const { log } = await open(disk)
    await put(log, 'a')
    disk.failNext('write', 'ENOSPC')
    await expect(put(log, 'lost')).rejects.toMatchObject({ kind: 'unavailable', code: 'ERR_DISK_FULL' })
    expect(await put(log, 'b')).toBe(2)
    expect((await open(disk)).replayed).toEqual(['1:a', '2:b'])
  })

  test('where room can be made, a full disk is not even told', async () => {
    const disk = new MemoryDisk()
    let given = 0
    const { log } = await open(disk, 0, { makeRoom: async () => given++ === 0 })
    await put(log, 'a')
    disk.failNext('write', 'ENOSPC')
    expect(await Promise.all([put(log, 'b'), put(log, 'c')])).toEqual([2, 3])
    disk.failNext('write', 'ENOSPC')
    await expect(put(log, 'lost')).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
    expect((await open(disk)).replayed).toEqual(['1:a', '2:b', '3:c'])
  })

  test.each<[DiskStep, string]>([
    ['create', '.log'],
    ['create', '.synced'],
    ['write', '.log'],
  ])(
    'a start on a full disk, at %s %s, replays; writing goes on when there is room',
    async (step, suffix) => {
      const { disk } = await written()
      let isFull = true
      disk.onStep = (each, path) => {
        if (isFull && each === step && path.endsWith(suffix))
          throw Object.assign(new Error('full'), { code: 'ENOSPC' })
      }
      const { log, replayed } = await open(disk)
      expect(replayed).toEqual(['1:a', '2:b', '3:c'])
      await expect(put(log, 'x')).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
      isFull = false
      expect(await put(log, 'd')).toBe(4)
      expect((await open(disk)).replayed).toEqual(['1:a', '2:b', '3:c', '4:d'])
    },
  )

  test('a synced length that cannot be noted takes nothing back: the record is durable', async () => {
    const disk = new MemoryDisk()
    const { log } = await open(disk)
    await put(log, 'a')
    failOnce(disk, 'write', '.synced', 'ENOSPC')
    expect(await put(log, 'b')).toBe(2)
    expect(await put(log, 'c')).toBe(3)
    expect((await open(disk)).replayed).toEqual(['1:a', '2:b', '3:c'])
  })

  test.each<[DiskStep, string]>([
    ['create', '.log'],
    ['create', '.synced'],
    ['write', '.log'],
    ['sync', '.log'],
    ['sync-folder', ''],
  ])('a new segment that fails at %s %s leaves no file open', async (step, suffix) => {
    const disk = new MemoryDisk()
    const { log } = await open(disk)
    await put(log, 'a')
    const before = disk.openFiles
    log.roll()
    failOnce(disk, step, suffix, 'ENOSPC')
    await expect(put(log, 'b')).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
    expect(disk.openFiles).toBe(before)
    expect(await put(log, 'c')).toBe(2)
    await log.close()
    expect(disk.openFiles).toBe(0)
  })

  test('a sync that fails ends the log: nobody knows what is on disk', async () => {
    const disk = new MemoryDisk()
    const fatal: Error[] = []
    const { log } = await open(disk, 0, { onFatal: (error) => fatal.push(error) })
    disk.failNext('sync', 'EIO')
    await expect(put(log, 'a')).rejects.toMatchObject({ code: 'ERR_LOG_FAILED' })
    await expect(put(log, 'b')).rejects.toMatchObject({ code: 'ERR_LOG_FAILED' })
    expect(fatal).toHaveLength(1)
  })

  test('segments go when all they hold is in files', async () => {
    const disk = new MemoryDisk()
    const { log } = await open(disk)
    await put(log, 'a')
    log.roll()
    await put(log, 'b')
    await log.removeThrough(1)
    expect(segments(disk)).toEqual([`${folder}/0000000000000002.log`])
    expect((await open(disk, 1)).replayed).toEqual(['2:b'])
  })
})
