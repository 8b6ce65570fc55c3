import { describe, expect, test } from 'vitest'
import {
  choose,
  condition,
  imageIn,
  minuteMs,
  podOf,
  rounds,
  setOf,
  status,
  tenant,
  type Tenant,
} from '../../test/support/rolling-tenant.ts'
import { platform } from '../../test/support/tenant-world.ts'
import { resources } from '../kube/resource.ts'
import { limitRangeName } from '../naming/names.ts'

// A class that the platform takes away takes nothing from those who have it: pods stay as they are, are made again as
// they were, and come back from what they were becoming.

const { standard: _taken, ...others } = platform.classes
const withoutStandard = { ...platform, classes: others }

const takeAway = ({ world }: Tenant): void => {
  world.platform = withoutStandard
}
const most = ({ world, runtime }: Tenant) =>
  JSON.stringify(world.get(resources.limitRanges, limitRangeName, runtime)!['spec'])

describe('a class that is taken away', () => {
  test('while a version is stuck: it is taken back, once and for all', async () => {
    const of = await tenant()
    of.world.brokenImages.add('example/node-2')
    await choose(of, { version: '0.2.0' })
    await rounds(of)
    expect(status(of).upgrade?.phase).toBe('Rolling')
    takeAway(of)
    await rounds(of, 11 * minuteMs)
    expect(status(of)).toMatchObject({ version: '0.1.0', upgrade: { phase: 'RolledBack' } })
    expect(condition(of, 'Stalled')).toMatchObject({ status: 'True', reason: 'ClassNotFound' })
    expect(imageIn(of)).toBe('example/node')
    expect(of.world.nodes.document).not.toBeNull()
    const pod = podOf(of).metadata.uid
    await rounds(of, 30 * minuteMs)
    expect(podOf(of).metadata.uid).toBe(pod)
    of.world.platform = platform
    await rounds(of)
    expect(condition(of, 'Stalled').reason).toBe('UpgradeRolledBack')
    await choose(of, { version: '0.1.0' })
    await rounds(of)
    expect(condition(of, 'Ready').status).toBe('True')
  })

  test('while a version is stuck: it is taken back, wherever a process ends', async () => {
    const play = async (killAfter: number): Promise<number> => {
      const of = await tenant()
      of.world.brokenImages.add('example/node-2')
      await choose(of, { version: '0.2.0' })
      await rounds(of)
      takeAway(of)
      of.world.writes = 0
      of.world.killAfter = killAfter
      await rounds(of, 12 * minuteMs)
      expect(status(of).upgrade?.phase).toBe('RolledBack')
      expect(imageIn(of)).toBe('example/node')
      return of.world.writes
    }
    const writes = await play(Number.POSITIVE_INFINITY)
    expect(writes).toBeGreaterThanOrEqual(5)
    for (let killAfter = 1; killAfter <= writes; killAfter += 1) await play(killAfter)
  })

  test('while other resources are stuck: the bounds of the namespace follow the way back', async () => {
    const of = await tenant({ class: 'small' })
    of.world.pods = 'stuck'
    await choose(of, { class: 'standard' })
    await rounds(of)
    expect(most(of)).toContain('"max":{"memory":"512Mi"}')
    takeAway(of)
    await rounds(of, 11 * minuteMs)
    expect(most(of)).toContain('"max":{"memory":"256Mi"}')
    of.world.pods = 'ready'
    await of.world.kube.delete(podOf(of))
    await rounds(of, 2 * minuteMs)
    expect(status(of).upgrade?.phase).toBe('RolledBack')
  })

  test('while a version comes up: it is done all the same', async () => {
    const of = await tenant()
    await choose(of, { version: '0.2.0' })
    await of.world.pass()
    takeAway(of)
    await rounds(of, 2 * minuteMs)
    expect(status(of).version).toBe('0.2.0')
    expect(status(of).upgrade).toBeUndefined()
  })

  test('leaves what somebody changes in the pods or their bounds as little changed as ever', async () => {
    const of = await tenant()
    const { world, runtime } = of
    const before = setOf(of)['spec']
    takeAway(of)
    await rounds(of)
    await world.kube.delete(world.get(resources.limitRanges, limitRangeName, runtime)!)
    await world.kube.apply({ ...setOf(of), spec: { ...(before as object), replicas: 3 } })
    await rounds(of)
    expect(setOf(of)['spec']).toEqual(before)
    expect(most(of)).toContain('"max":{"memory":"512Mi"}')
  })
})
