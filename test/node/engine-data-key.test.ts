import { expect, test, vi } from 'vitest'
import { MemoryDisk } from '../../storage-node/disk/memory-disk.ts'
import { kept, Life, type Truth } from './engine-life.ts'

vi.mock('../../storage-node/query-process/client.ts', async (original) => ({
  ...(await original<object>()),
  ...(await import('../support/parquet-stand-in.ts')),
}))

/**
 * Promise: another data key comes into force without a point lost or written again. A folder opens with both keys wherever
 * the change is stopped, with the new one alone once it is over, and then no longer with the old one.
 */

const [old, fresh, third] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte))

function lifeOf(disk: MemoryDisk, dataKeys: readonly (Uint8Array | undefined)[], truth?: Truth): Life {
  const life = new Life(new MemoryDisk(disk), undefined, truth)
  life.dataKeys = dataKeys.map((key) => key!)
  return life
}

/** The folder as the process leaves it that is killed now: it opens with the one key and not with the other. */
async function opensOnlyWith(right: Uint8Array, wrong: Uint8Array, life: Life): Promise<void> {
  const again = await lifeOf(life.disk, [right], life).open()
  await again.check()
  expect(again.engine.olderKeyIds()).toEqual([])
  await again.engine.close()
  await expect(lifeOf(life.disk, [wrong], life).open()).rejects.toMatchObject({
    code: 'ERR_DATA_KEY_WRONG',
    message: expect.stringMatching(/manifest: encrypted with data key \w{16}, the key given is \w{16}$/),
  })
}

const dataFiles = (disk: MemoryDisk): string[] =>
  [...disk.files.keys()].filter((path) => path.startsWith('/data/files/')).sort()

/** Points in files, in log segments before the last, and in the last. */
async function written(): Promise<Life> {
  const life = await new Life(new MemoryDisk()).open()
  for (let number = 1; number <= 3; number++) {
    await life.write(kept, 'autogen', number)
    await life.engine.flush()
  }
  await life.write(kept, 'autogen', 4)
  return life
}

test('files stay as they are, points come on meanwhile, and the old key is needed no more', async () => {
  const life = await written()
  const before = dataFiles(life.disk)
  const changing = life.engine.useDataKey(fresh!)
  await Promise.all([5, 6, 7].map((number) => life.write(kept, 'autogen', number)))
  await changing
  expect(dataFiles(life.disk)).toEqual(expect.arrayContaining(before))
  await life.check()
  await opensOnlyWith(fresh!, old!, life)
  await life.write(kept, 'autogen', 8)
  await opensOnlyWith(fresh!, old!, life)
  await life.engine.close()
  await opensOnlyWith(fresh!, old!, life)
})

test.each(['nothing was ever written', 'all is in files', 'all is in the log'])(
  'also when %s, and on to a third key',
  async (state) => {
    const life = await new Life(new MemoryDisk()).open()
    if (state !== 'nothing was ever written') await life.write(kept, 'autogen', 1)
    if (state === 'all is in files') await life.engine.flush()
    await life.engine.useDataKey(fresh!)
    await opensOnlyWith(fresh!, old!, life)
    expect(life.engine.olderKeyIds()).toEqual([])
    await life.engine.useDataKey(third!)
    await opensOnlyWith(third!, fresh!, life)
  },
)

test('a flush under the new key leaves nothing in the manifest that needs the old one', async () => {
  const before = await written()
  const life = await lifeOf(before.disk, [fresh, old], before).open()
  expect(life.engine.olderKeyIds()).toHaveLength(1)
  await life.write(kept, 'autogen', 5)
  await life.engine.close()
  // Closing flushed, so that all is in files; the log holds nothing.
  const again = await lifeOf(life.disk, [fresh], life).open()
  await again.check()
})

test('a kill or a loss of power before any step, then the change again', async () => {
  const life = await written()
  const stops: { disk: MemoryDisk; truth: Truth; where: string }[] = []
  life.disk.onStep = (step, path) => {
    const truth = { must: new Set(life.must), may: new Set(life.may) }
    const powerless = new MemoryDisk(life.disk)
    powerless.powerLoss()
    const where = `before step ${stops.length / 2}, ${step} of ${path}`
    stops.push({ disk: new MemoryDisk(life.disk), truth, where }, { disk: powerless, truth, where })
  }
  const changing = life.engine.useDataKey(fresh!)
  await Promise.all([5, 6].map((number) => life.write(kept, 'autogen', number)))
  await changing
  life.disk.onStep = () => undefined
  expect(stops.length).toBeGreaterThan(30)
  for (const { disk, truth, where } of stops) {
    const again = await lifeOf(disk, [fresh, old], truth).open()
    await again.check().catch((error: unknown) => expect.unreachable(`${where}: ${String(error)}`))
    await again.engine.useDataKey(fresh!)
    await again.check()
    await opensOnlyWith(fresh!, old!, again)
  }
})

test.each(['ENOSPC', 'EIO'])(
  '%s at any step: the old key is needed until the change has been made',
  async (code) => {
    for (let failing = 0, reached = true; reached; failing++) {
      const life = await written()
      let count = 0
      life.disk.onStep = () => {
        if (count++ === failing) throw Object.assign(new Error(code), { code })
      }
      const failed = await life.engine.useDataKey(fresh!).then(
        () => false,
        () => true,
      )
      reached = count > failing
      expect(reached || failing > 12).toBe(true)
      if (failed) expect(life.engine.olderKeyIds()).toHaveLength(1)
      const again = await lifeOf(life.disk, [fresh, old], life).open()
      await again.check()
      if (!failed) expect(again.engine.olderKeyIds()).toEqual([])
      await again.engine.useDataKey(fresh!)
      await opensOnlyWith(fresh!, old!, again)
    }
  },
)
