import { basename } from 'node:path'
import { expect, test, vi } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { Keyring } from '../../storage-node/crypto/keyring.ts'
import { MemoryDisk } from '../../storage-node/disk/memory-disk.ts'
import { ownIdentity } from '../../storage-node/identity.ts'
import { sealedStateFile } from '../../storage-node/state/state-file.ts'
import { kept, Life } from './engine-life.ts'
import { engineFolder, keyFile, nodeFolder } from './node-folder.ts'

vi.mock('../../storage-node/query-process/client.ts', async (original) => ({
  ...(await original<object>()),
  ...(await import('../support/parquet-stand-in.ts')),
}))

/**
 * Promise: whatever bit is flipped in whatever file of a node, it is found and the file named, or it does not matter; never
 * is an answer wrong or an acknowledged point silently gone. Parquet has a test of its own, `damage-parquet.test.ts`;
 * `lock` is empty.
 */

/** A start as `createStorageNode` makes it. @throws what refuses it */
async function start(disk: MemoryDisk, before: Life): Promise<Life> {
  const own = await ownIdentity(disk, '/', keyFile, silentLogger)
  await sealedStateFile(disk, new Keyring(own.organizationId, own.dataKey), '/').read()
  const life = new Life(disk, before.clock, before, engineFolder)
  life.dataKeys = [own.dataKey]
  return life.open()
}

type Outcome = 'refused' | 'read-only' | 'unharmed'

/** @throws Error if the damage is not found, not named, or changes an answer */
async function outcomeOf(disk: MemoryDisk, path: string, before: Life, truth: string): Promise<Outcome> {
  // The key file holds nothing but the key: it is the data that tell that it is another one.
  const named = path === keyFile ? 'key' : basename(path)
  let life: Life
  try {
    life = await start(disk, before)
  } catch (error) {
    if (error instanceof Error && error.message.includes(named)) return 'refused'
    throw error
  }
  const { damage } = life.engine
  if (damage.length === 0) {
    // Nothing is said, so nothing may be missing.
    if ((await life.check()).join() !== truth) throw new Error('other points than before')
    return 'unharmed'
  }
  if (damage.some(({ file }) => basename(file) !== named)) throw new Error(`named: ${JSON.stringify(damage)}`)
  const points = await life.points().catch((error: unknown) => {
    if (error instanceof Error && error.message.includes(named)) return []
    throw error
  })
  for (const point of points) if (!life.may.has(point)) throw new Error(`was never written: ${point}`)
  await expect(life.write(kept, 'autogen', 9)).rejects.toMatchObject({ code: 'ERR_READ_ONLY' })
  return 'read-only'
}

/** What comes of each kind of file. */
const kinds: readonly (readonly [kind: string, pattern: RegExp, outcome: Outcome])[] = [
  ['key file', /^\/keys\/key$/, 'refused'],
  ['organization id', /^\/organization-id$/, 'refused'],
  ['state document', /^\/state\/document$/, 'refused'],
  // Each of the two stands in for the other.
  ['manifest', /\/manifest$/, 'unharmed'],
  ['copy of the manifest', /\/manifest\.copy$/, 'unharmed'],
  ['dictionary', /\.dictionary$/, 'read-only'],
  ['log segment', /\.log$/, 'read-only'],
  // It only guards against a second damage; of its two slots one is always enough to be right.
  ['synced length', /\.synced$/, 'unharmed'],
]

const every = process.env['HOLDFAST_EVERY_BYTE'] ? 1 : 11

/** All of a small file; of a larger one its head and a byte in so many. */
function positions(sizeBytes: number): number[] {
  const all = Array.from({ length: sizeBytes }, (_, at) => at)
  return all.filter((at) => at < 128 || at % every === 0 || at >= sizeBytes - 16)
}

test.each(kinds)('a flipped bit anywhere in: %s', async (_kind, pattern, expected) => {
  const before = await nodeFolder()
  const truth = (await before.check()).join()
  const files = [...before.disk.files].filter(([path]) => pattern.test(path))
  expect(files.length).toBeGreaterThan(0)
  for (const [path, content] of files) {
    for (const at of positions(content.length)) {
      const disk = new MemoryDisk(before.disk)
      const damaged = Buffer.from(content)
      damaged[at]! ^= 1 << (at % 8)
      disk.files.set(path, damaged)
      const where = `${path}, byte ${at} of ${content.length}`
      const outcome = await outcomeOf(disk, path, before, truth).catch((error: unknown) =>
        expect.unreachable(`${where}: ${String(error)}`),
      )
      expect(outcome, where).toBe(expected)
    }
  }
})

test('the manifest and its copy are the same again after a start', async () => {
  const before = await nodeFolder()
  const paths = ['manifest', 'manifest.copy'].map((name) => `${engineFolder}/${name}`)
  for (const path of paths) {
    const disk = new MemoryDisk(before.disk)
    const damaged = Buffer.from(disk.content(path))
    damaged[40]! ^= 1
    disk.files.set(path, damaged)
    await start(disk, before)
    expect(paths.map((each) => disk.content(each))).toEqual(paths.map((each) => before.disk.content(each)))
  }
})
