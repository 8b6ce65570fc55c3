import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { FakeClock, rest } from '../../test/support/fake-clock.ts'
import { MemoryKube } from '../../test/support/memory-kube.ts'
import { EventRecorder } from './events.ts'
import type { KubeObject } from './object.ts'
import { resources } from './resource.ts'

// The promise: every reason can be seen, no storm of them reaches the API server, and nobody ever waits for one.
const database = (uid = 'u1'): KubeObject => ({
  apiVersion: 'holdfast.dev/v1alpha1',
  kind: 'Database',
  metadata: { name: 'metrics', namespace: 'team', uid, resourceVersion: '5' },
})

function recorder() {
  const kube = new MemoryKube()
  const clock = new FakeClock()
  const events = async () => (await kube.list(resources.events)).items
  return { kube, clock, events, recorder: new EventRecorder({ client: kube, clock, log: silentLogger }) }
}

describe('events', () => {
  test('one says who, what and why, where kubectl describe looks for it', async () => {
    const { recorder: made, events } = recorder()
    made.record(database(), 'Warning', 'TokenRefused', 'the node does not know the token')
    await rest()
    expect(await events()).toEqual([
      expect.objectContaining({
        metadata: expect.objectContaining({ namespace: 'team' }),
        involvedObject: expect.objectContaining({
          kind: 'Database',
          name: 'metrics',
          namespace: 'team',
          uid: 'u1',
        }),
        type: 'Warning',
        reason: 'TokenRefused',
        message: 'the node does not know the token',
        count: 1,
        firstTimestamp: '2026-11-22T00:00:00Z',
      }),
    ])
  })

  test('an object without a namespace has its events in default', async () => {
    const { recorder: made, events } = recorder()
    made.record(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n', uid: 'u' } },
      'Normal',
      'Made',
      'made',
    )
    await rest()
    expect((await events())[0]?.metadata.namespace).toBe('default')
  })

  test('repetitions are one event that counts, written at most once a minute', async () => {
    const { kube, clock, recorder: made, events } = recorder()
    for (let second = 0; second < 125; second += 1) {
      made.record(database(), 'Normal', 'Waiting', `for the ${second}th time`)
      await clock.advance(1_000)
    }
    expect(kube.world.writes).toHaveLength(3)
    expect(await events()).toEqual([
      expect.objectContaining({
        count: 121,
        message: 'for the 120th time',
        lastTimestamp: '2026-11-22T00:02:00Z',
      }),
    ])
  })

  test('reasons and objects are told apart', async () => {
    const { recorder: made, events } = recorder()
    made.record(database('u1'), 'Normal', 'A', 'a')
    made.record(database('u1'), 'Normal', 'B', 'b')
    made.record(database('u2'), 'Normal', 'A', 'a')
    await rest()
    expect(await events()).toHaveLength(3)
  })

  test('a flood of one object is cut off, others are still heard', async () => {
    const { clock, recorder: made, events } = recorder()
    for (let index = 0; index < 500; index += 1) made.record(database('u1'), 'Normal', `R${index}`, '')
    made.record(database('u2'), 'Normal', 'Heard', '')
    await rest()
    await rest()
    const reasons = (await events()).map((event) => event['reason'])
    expect(reasons).toHaveLength(31)
    expect(reasons).toContain('Heard')
    await clock.advance(600_000)
    made.record(database('u1'), 'Normal', 'Again', '')
    await rest()
    expect(await events()).toHaveLength(32)
  })

  test('an API server that refuses them disturbs nobody, and the next is tried', async () => {
    const { kube, recorder: made, events } = recorder()
    kube.world.intercept = (call) => {
      if (call.startsWith('apply')) throw new Error('no')
    }
    made.record(database(), 'Normal', 'Lost', '')
    await rest()
    kube.world.intercept = () => undefined
    made.record(database(), 'Normal', 'Seen', '')
    await rest()
    expect((await events()).map((event) => event['reason'])).toEqual(['Seen'])
  })

  test('after stop nothing is written', async () => {
    const { kube, recorder: made } = recorder()
    await made.stop()
    made.record(database(), 'Normal', 'Late', '')
    await rest()
    expect(kube.world.writes).toEqual([])
  })
})
