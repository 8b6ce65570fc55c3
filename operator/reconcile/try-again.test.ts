import { describe, expect, test } from 'vitest'
import {
  annotate,
  choose,
  condition,
  eventsOf,
  imageIn,
  minuteMs,
  podOf,
  rolledBack,
  rounds,
  status,
  tenant,
} from '../../test/support/rolling-tenant.ts'

// What did not come up is tried once more by one word of the tenant's, and by nothing else: a loop of tries would be a
// loop of interruptions.

const retry = (value: string) => ({ 'holdfast.dev/retry': value })

describe('the annotation holdfast.dev/retry', () => {
  test('has a version tried again that is mended now', async () => {
    const of = await rolledBack()
    expect(condition(of, 'Stalled').message).toContain('annotation holdfast.dev/retry')
    of.world.brokenImages.clear()
    await rounds(of, 5 * minuteMs)
    expect(imageIn(of), 'nothing is tried by itself').toBe('example/node')
    await annotate(of, retry('1'))
    await rounds(of)
    expect(status(of).version).toBe('0.2.0')
    expect(status(of).upgrade).toBeUndefined()
    expect(condition(of, 'Ready').status).toBe('True')
    const pod = podOf(of).metadata.uid
    await annotate(of, retry('2'))
    await rounds(of, 5 * minuteMs)
    expect(podOf(of).metadata.uid, 'of what serves it means nothing').toBe(pod)
  })

  test('has one try a value, and the form of before behind each', async () => {
    const of = await rolledBack()
    await annotate(of, retry('1'))
    await rounds(of, 12 * minuteMs)
    expect(status(of).upgrade).toMatchObject({ from: '0.1.0', to: '0.2.0', phase: 'RolledBack' })
    expect(eventsOf(of, 'Upgrading')).toHaveLength(2)
    of.world.restart()
    const pod = podOf(of).metadata.uid
    await rounds(of, 60 * minuteMs)
    expect(eventsOf(of, 'Upgrading')).toHaveLength(2)
    expect(podOf(of).metadata.uid).toBe(pod)
    await annotate(of, retry('x'.repeat(10_000)))
    await rounds(of, 12 * minuteMs)
    expect(eventsOf(of, 'Upgrading')).toHaveLength(3)
    expect(status(of).upgrade?.phase).toBe('RolledBack')
  })

  test('that stood there before counts for nothing', async () => {
    const of = await tenant()
    await annotate(of, retry('of last year'))
    of.world.brokenImages.add('example/node-2')
    await choose(of, { version: '0.2.0' })
    await rounds(of, 30 * minuteMs)
    expect(eventsOf(of, 'Upgrading')).toHaveLength(1)
    expect(status(of).upgrade?.phase).toBe('RolledBack')
  })
})
