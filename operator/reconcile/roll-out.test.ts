import { describe, expect, test } from 'vitest'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import {
  choose,
  condition,
  eventsOf,
  imageIn,
  minuteMs,
  podOf,
  rolledBack,
  rounds,
  setOf,
  status,
  tenant,
  type Tenant,
} from '../../test/support/rolling-tenant.ts'
import { platform, TenantWorld } from '../../test/support/tenant-world.ts'
import { runningStatus } from '../../test/support/stateful-pods.ts'
import { rolloutAnnotations } from '../desired/rollout.ts'
import { resources } from '../kube/resource.ts'
import { limitRangeName } from '../naming/names.ts'

// A version that is ready takes the place of the one before; one that is not comes back to it in bounded time, is said
// with its reason, and is not tried again as it is. Wherever a process ends on the way, and whatever is chosen
// meanwhile, nothing of this changes.

describe('another version', () => {
  test('takes the place of the one that serves', async () => {
    const of = await tenant()
    const before = podOf(of).metadata.uid
    await choose(of, { version: '0.2.0' })
    await of.world.pass()
    expect(status(of)).toMatchObject({
      version: '0.1.0',
      observedGeneration: 2,
      upgrade: { from: '0.1.0', to: '0.2.0', phase: 'Rolling' },
    })
    expect(condition(of, 'Ready')).toMatchObject({ status: 'False', reason: 'Upgrading' })
    expect(condition(of, 'Reconciling')).toMatchObject({ status: 'True', observedGeneration: 2 })
    await rounds(of)
    expect(podOf(of).metadata.uid).not.toBe(before)
    expect(status(of)).toMatchObject({ version: '0.2.0' })
    expect(status(of).upgrade).toBeUndefined()
    expect(condition(of, 'Ready')).toMatchObject({ status: 'True', observedGeneration: 2 })
    expect(setOf(of).metadata.annotations).not.toHaveProperty([rolloutAnnotations.rollout])
    expect(eventsOf(of, 'Upgrading')).toHaveLength(1)
    expect(eventsOf(of, 'Upgraded')).toHaveLength(1)
  })

  test('may be an older one', async () => {
    const of = await tenant({ version: '0.2.0' })
    await choose(of, { version: '0.1.0' })
    await rounds(of)
    expect(status(of)).toMatchObject({ version: '0.1.0' })
    expect(condition(of, 'Ready').status).toBe('True')
  })

  test('is kept by a spec that names none', async () => {
    const of = await tenant()
    await choose(of, { version: '0.2.0' })
    await rounds(of)
    const pod = podOf(of).metadata.uid
    await choose(of, { version: null })
    await rounds(of)
    expect(podOf(of).metadata.uid).toBe(pod)
    expect(status(of).version).toBe('0.2.0')
  })

  test.each([
    ['the version that served last', platform.storageNode.images, '0.1.0'],
    ['the default, where the platform has no other image', { '0.2.0': 'example/node-2' }, '0.2.0'],
  ])('%s comes back when somebody deletes the StatefulSet', async (_what, images, version) => {
    const of = await tenant()
    of.world.platform = {
      ...platform,
      storageNode: { ...platform.storageNode, images, defaultVersion: '0.2.0' },
    }
    await of.world.kube.delete(setOf(of))
    await rounds(of, minuteMs)
    expect(condition(of, 'Ready').status).toBe('True')
    expect(status(of).version).toBe(version)
    expect(imageIn(of)).toBe(platform.storageNode.images[version])
  })
})

describe('a version that does not come up', () => {
  test('goes back in ten minutes, is said with its reason, and is not tried again', async () => {
    const of = await tenant()
    of.world.brokenImages.add('example/node-2')
    await choose(of, { version: '0.2.0' })
    await rounds(of, 9 * minuteMs)
    expect(status(of).upgrade?.phase).toBe('Rolling')
    expect(condition(of, 'Ready').message).toContain('ImagePullBackOff')
    await rounds(of, 2 * minuteMs)
    expect(status(of)).toMatchObject({
      version: '0.1.0',
      upgrade: { phase: 'RolledBack', message: expect.stringContaining('ImagePullBackOff: no such image') },
    })
    for (const type of ['Ready', 'Stalled'])
      expect(condition(of, type)).toMatchObject({ reason: 'UpgradeRolledBack', observedGeneration: 2 })
    expect(condition(of, 'Ready').status).toBe('False')
    expect(condition(of, 'Reconciling').status).toBe('False')
    expect(condition(of, 'Stalled').message).toMatch(
      /version 0\.2\.0 did not come up: .*ImagePullBackOff.*version 0\.1\.0 serves.*spec\.version to "0\.1\.0"/,
    )
    const pod = podOf(of).metadata.uid
    const version = of.world.kube.world.version
    of.world.restart()
    await rounds(of, 60 * minuteMs)
    expect(podOf(of).metadata.uid).toBe(pod)
    expect(of.world.kube.world.version).toBe(version)
    expect(imageIn(of)).toBe('example/node')
    expect(eventsOf(of, 'Upgrading')).toHaveLength(1)
    expect(eventsOf(of, 'UpgradeRolledBack')).toHaveLength(1)
    expect(eventsOf(of, 'Upgraded')).toHaveLength(0)
  })

  test('goes back, wherever a process ends', async () => {
    const play = async (killAfter: number): Promise<number> => {
      const of = await tenant()
      of.world.brokenImages.add('example/node-2')
      await choose(of, { version: '0.2.0' })
      of.world.writes = 0
      of.world.killAfter = killAfter
      await rounds(of, 12 * minuteMs)
      expect(status(of).upgrade?.phase).toBe('RolledBack')
      expect(condition(of, 'Stalled').reason).toBe('UpgradeRolledBack')
      expect(imageIn(of)).toBe('example/node')
      return of.world.writes
    }
    const writes = await play(Number.POSITIVE_INFINITY)
    expect(writes).toBeGreaterThanOrEqual(7)
    for (let killAfter = 1; killAfter <= writes; killAfter += 1) await play(killAfter)
  })

  test.each([
    ['the version of before is named', { version: '0.1.0' }, '0.1.0', 'example/node'],
    ['none is named', { version: null }, '0.1.0', 'example/node'],
    ['another one is named', { version: '0.3.0' }, '0.3.0', 'example/node-3'],
  ])('is forgotten when %s', async (_what, spec, version, image) => {
    const of = await rolledBack()
    await choose(of, spec)
    await rounds(of)
    expect(condition(of, 'Ready')).toMatchObject({ status: 'True', observedGeneration: 3 })
    expect(status(of).version).toBe(version)
    expect(status(of).upgrade).toBeUndefined()
    expect(imageIn(of)).toBe(image)
  })

  test('is tried again when the platform names another image for it', async () => {
    const of = await rolledBack()
    const images = { ...platform.storageNode.images, '0.2.0': 'example/node-2-mended' }
    of.world.platform = { ...platform, storageNode: { ...platform.storageNode, images } }
    await rounds(of)
    expect(status(of).version).toBe('0.2.0')
    expect(imageIn(of)).toBe('example/node-2-mended')
    expect(condition(of, 'Ready').status).toBe('True')
  })

  test('leaves all else of the spec in force', async () => {
    const of = await rolledBack()
    await choose(of, { limits: { series: 5_000 } })
    await rounds(of)
    expect(of.world.nodes.document?.limits.series).toBe(5_000)
    expect(condition(of, 'Stalled')).toMatchObject({ reason: 'UpgradeRolledBack', observedGeneration: 3 })
  })

  test('does not hide that the one of before is not ready either', async () => {
    const of = await tenant()
    of.world.brokenImages.add('example/node-2').add('example/node')
    await choose(of, { version: '0.2.0' })
    await rounds(of, 13 * minuteMs)
    expect(condition(of, 'Reconciling')).toMatchObject({ status: 'True', reason: 'RollingBack' })
    await rounds(of, 10 * minuteMs)
    expect(condition(of, 'Stalled').message).toContain(
      'version 0.1.0 is back: storage-node-0: ImagePullBackOff',
    )
    of.world.brokenImages.clear()
    await of.world.kube.delete(podOf(of))
    await rounds(of)
    expect(status(of).upgrade?.phase).toBe('RolledBack')
  })

  test('is also one that does not take the state document, and one that is ready for moments only', async () => {
    const of = await tenant({ version: '0.2.0' })
    of.world.nodes.formatVersions = [9]
    await choose(of, { version: '0.1.0' })
    await rounds(of)
    expect(condition(of, 'Reconciling')).toMatchObject({ status: 'True', reason: 'Upgrading' })
    expect(condition(of, 'Ready').message).toContain('reads state documents of format 9, not 1 or 2')
    await rounds(of, 10 * minuteMs)
    of.world.nodes.formatVersions = [1, 2]
    await rounds(of)
    expect(status(of)).toMatchObject({ version: '0.2.0', upgrade: { phase: 'RolledBack' } })
    expect(condition(of, 'Stalled').message).toContain(
      'version 0.1.0 did not come up: storage-node-0: version',
    )

    const other = await tenant()
    await choose(other, { version: '0.2.0' })
    await rounds(other, 0)
    for (let second = 0; second < 600; second += 5) {
      other.world.nodes.isUnreachable = second % 10 === 0
      await other.world.pass()
      other.world.clock.jump(5_000)
    }
    other.world.nodes.isUnreachable = true
    await rounds(other)
    expect(status(other).upgrade?.phase).toBe('RollingBack')
  })

  test('is not one that an operator finds seconds from ready when it was away for long', async () => {
    const of = await tenant()
    of.world.pods = 'starting'
    await choose(of, { version: '0.2.0' })
    await rounds(of)
    const pod = podOf(of).metadata.uid
    of.world.clock.jump(60 * minuteMs)
    of.world.restart()
    await of.world.pass()
    await of.world.pass()
    expect(status(of).upgrade?.phase).toBe('Rolling')
    await of.world.kube.patchStatus(podOf(of), runningStatus(true))
    await rounds(of)
    expect([status(of).version, status(of).upgrade]).toEqual(['0.2.0', undefined])
    expect(podOf(of).metadata.uid).toBe(pod)
  })

  test('has longer where its container is on its first start', async () => {
    const of = await tenant()
    of.world.pods = 'starting'
    await choose(of, { version: '0.2.0' })
    await rounds(of, 24 * minuteMs)
    expect(status(of).upgrade?.phase).toBe('Rolling')
    await rounds(of, 2 * minuteMs)
    expect(status(of).upgrade?.phase).toBe('RollingBack')
  })
})

describe('while it is under way', () => {
  async function underWay(): Promise<Tenant> {
    const of = await tenant()
    of.world.brokenImages.add('example/node-2')
    await choose(of, { version: '0.2.0' })
    await rounds(of)
    expect(condition(of, 'Ready').reason).toBe('Upgrading')
    return of
  }

  test.each([
    ['another version', { version: '0.3.0' }, '0.3.0'],
    ['the version of before', { version: '0.1.0' }, '0.1.0'],
    ['no version', { version: null }, '0.1.0'],
  ])('%s is taken at once, a pod that is stuck or not', async (_what, spec, version) => {
    const of = await underWay()
    await choose(of, spec)
    await rounds(of)
    expect(status(of).version).toBe(version)
    expect(condition(of, 'Ready')).toMatchObject({ status: 'True', observedGeneration: 3 })
  })

  test('a second one that does not come up goes back to what served last', async () => {
    const of = await underWay()
    of.world.brokenImages.add('example/node-3')
    await choose(of, { version: '0.3.0' })
    await rounds(of, 11 * minuteMs)
    expect(status(of).upgrade).toMatchObject({ from: '0.1.0', to: '0.3.0', phase: 'RolledBack' })
    expect(imageIn(of)).toBe('example/node')
  })

  test('a pause stops it, and it goes on from there', async () => {
    const of = await underWay()
    const { world } = of
    const paused = async (value: string): Promise<void> => {
      await world.kube.patchMetadata(world.get(resources.organizations, 'acme')!, {
        annotations: { 'holdfast.dev/paused': value },
      })
    }
    await paused('true')
    await rounds(of)
    const image = imageIn(of)
    await rounds(of, 30 * minuteMs)
    expect(imageIn(of)).toBe(image)
    expect(status(of).upgrade?.phase).toBe('Rolling')
    await paused('false')
    await rounds(of, 2 * minuteMs)
    expect(status(of).upgrade?.phase).toBe('RolledBack')
  })

  test('a deletion is not held up', async () => {
    const of = await underWay()
    await of.world.remove(resources.organizations, 'acme')
    await of.world.settle()
    expect(of.world.get(resources.organizations, 'acme')).toBeUndefined()
    expect(of.world.all(resources.pods)).toEqual([])
  })

  test('a spec that is refused leaves it going on', async () => {
    const of = await underWay()
    await choose(of, { version: '9.9.9' })
    await rounds(of, 11 * minuteMs)
    expect(condition(of, 'Stalled').reason).toBe('VersionNotAllowed')
    expect(imageIn(of)).toBe('example/node')
  })

  test('a record that somebody else wrote counts for nothing', async () => {
    const of = await underWay()
    const { world } = of
    const { rollout } = rolloutAnnotations
    const text = setOf(of).metadata.annotations![rollout]!.replace('"Rolling"', '"RolledBack"')
    await world.kube.patchMetadata(setOf(of), { annotations: { [rollout]: text } })
    await rounds(of)
    expect(status(of).upgrade?.phase).not.toBe('RolledBack')
  })
})

describe('other resources of the class', () => {
  test('go the same way, and what bounds the pods follows', async () => {
    const of = await tenant()
    const { world, runtime } = of
    const most = () => JSON.stringify(world.get(resources.limitRanges, limitRangeName, runtime)!['spec'])
    await choose(of, { class: 'small' })
    await rounds(of)
    expect(condition(of, 'Ready')).toMatchObject({ status: 'True', observedGeneration: 2 })
    expect(most()).toContain('"max":{"memory":"256Mi"}')
    world.pods = 'stuck'
    await choose(of, { class: 'standard' })
    await rounds(of)
    expect(most()).toContain('"max":{"memory":"512Mi"}')
    await rounds(of, 10 * minuteMs)
    world.pods = 'ready'
    await world.kube.delete(podOf(of))
    await rounds(of)
    expect(condition(of, 'Stalled').message).toContain('with other resources')
    expect(most()).toContain('"max":{"memory":"256Mi"}')
  })

  test('mend a spec whose first pod never came up', async () => {
    const world = new TenantWorld()
    world.brokenImages.add('example/node-2')
    const made = await world.create('Organization', 'acme', { version: '0.2.0' })
    const of = { world, runtime: runtimeNamespace(idOfUid(made.metadata.uid!)) }
    await rounds(of, 15 * minuteMs)
    expect(condition(of, 'Ready').reason).toBe('StorageNodeStarting')
    // What never served is nothing to go back to.
    world.brokenImages.add('example/node-3')
    await choose(of, { version: '0.3.0' })
    await rounds(of, 15 * minuteMs)
    expect(status(of).upgrade).toBeUndefined()
    expect(imageIn(of)).toBe('example/node-3')
    await choose(of, { version: '0.1.0' })
    await rounds(of)
    expect(condition(of, 'Ready').status).toBe('True')
  })
})

test('limits are in force without a restart', async () => {
  const of = await tenant()
  const before = { pod: podOf(of).metadata.uid, set: setOf(of).metadata.resourceVersion }
  const limits = {
    databases: 7,
    series: 1_234,
    writeBytesPerSecond: 1_000_000,
    concurrentQueries: 3,
    queryTimeout: '5s',
    requestsPerSecond: 50,
    rowsPerQuery: 1_000,
    queryMemory: '64Mi',
  }
  await choose(of, { limits })
  await rounds(of)
  expect(of.world.nodes.document?.limits).toEqual({
    databases: 7,
    series: 1_234,
    writeBytesPerSecond: 1_000_000,
    concurrentQueries: 3,
    queryTimeoutNs: '5000000000',
    requestsPerSecond: 50,
    rowsPerQuery: 1_000,
    queryMemoryBytes: 64 * 1_048_576,
  })
  expect({ pod: podOf(of).metadata.uid, set: setOf(of).metadata.resourceVersion }).toEqual(before)
  expect(condition(of, 'Ready')).toMatchObject({ status: 'True', observedGeneration: 2 })
})
