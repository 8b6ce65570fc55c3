import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { MemoryKube } from '../../test/support/memory-kube.ts'
import { appliedAnnotation, applyObject } from './apply.ts'
import type { KubeObject } from './object.ts'

/*
 * The promise: one write for each real difference, none without, and never onto another object of the same name.
 */
const configMap = (data: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', namespace: 'ns', labels: { app: 'x' } },
  data,
})
const apply = (kube: MemoryKube, live: KubeObject | undefined, desired: KubeObject) =>
  applyObject(kube, live, desired, silentLogger)

describe('applyObject', () => {
  test('what is not there is created, and is then left alone', async () => {
    const kube = new MemoryKube()
    const created = await apply(kube, undefined, configMap({ a: '1' }))
    expect(created.outcome).toBe('created')
    expect((await apply(kube, created.object, configMap({ a: '1' }))).outcome).toBe('unchanged')
    expect(kube.world.writes).toEqual(['apply configmaps a'])
  })

  test('what others add is left alone', async () => {
    const kube = new MemoryKube()
    const { object } = await apply(kube, undefined, configMap({ a: '1' }))
    const foreign = await kube.patchMetadata(object, { labels: { theirs: '1' } })
    expect((await apply(kube, foreign, configMap({ a: '1' }))).outcome).toBe('unchanged')
  })

  test('drift is undone, and the path says where it was', async () => {
    const kube = new MemoryKube()
    const { object } = await apply(kube, undefined, configMap({ a: '1' }))
    const drifted = await kube.replace({ ...object, data: { a: '2' } })
    const applied = await apply(kube, drifted, configMap({ a: '1' }))
    expect(applied).toMatchObject({ outcome: 'changed', path: 'data.a', object: { data: { a: '1' } } })
  })

  test('what is no longer wanted is a difference, though all that is wanted is there', async () => {
    const kube = new MemoryKube()
    const { object } = await apply(kube, undefined, configMap({ a: '1', b: '2' }))
    expect(await apply(kube, object, configMap({ a: '1' }))).toMatchObject({
      outcome: 'changed',
      path: `metadata.annotations.${appliedAnnotation}`,
    })
  })

  test.each(['deleted', 'deleted and made again'])(
    '%s meanwhile: a conflict, and nothing is written',
    async (what) => {
      const kube = new MemoryKube()
      const { object } = await apply(kube, undefined, configMap({ a: '1' }))
      await kube.delete(object)
      if (what !== 'deleted') await kube.create(configMap({ a: 'theirs' }))
      const version = kube.world.version
      await expect(apply(kube, object, configMap({ a: '2' }))).rejects.toMatchObject({ kind: 'conflict' })
      expect(kube.world.version).toBe(version)
    },
  )
})
