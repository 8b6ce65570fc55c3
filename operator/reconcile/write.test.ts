import { expect, test } from 'vitest'
import { MemoryKube } from '../../test/support/memory-kube.ts'
import { ObjectStore } from '../controller/store.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { finalizer } from '../naming/names.ts'
import { keepTenantObject } from '../observe/keep.ts'
import type { Pass } from './pass.ts'
import { ensureFinalizer, releaseFinalizer } from './write.ts'

// Promise: finalizers of others stay as they are, also where there are more than the cache keeps.

const others = Array.from({ length: 1_000 }, (_none, at) => `example.com/finalizer-${at}`)
async function world(finalizers: readonly string[]) {
  const kube = new MemoryKube()
  const made = await kube.create({
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'Token',
    metadata: { name: 'writer', namespace: 'team', finalizers },
  })
  const pass = { client: kube, memory: { forget: () => undefined } } as unknown as Pass
  const store = new ObjectStore(keepTenantObject)
  const live = () => kube.get(resources.tokens, { namespace: 'team', name: 'writer' })
  return { kube, pass, store, live, made, cached: keepTenantObject(made) }
}
const finalizersOf = (object: KubeObject | null) => object?.metadata.finalizers

test('ours comes to them, and goes from them', async () => {
  const { pass, store, live, cached } = await world(others)
  await ensureFinalizer(pass, store, cached)
  expect(finalizersOf(await live())).toEqual([...others, finalizer])
  const known = store.get('team', 'writer')!
  expect(finalizersOf(known)).toHaveLength(2)
  await releaseFinalizer(pass, store, known)
  expect(finalizersOf(await live())).toEqual(others)
})

test('another object of the name is not touched', async () => {
  const { kube, pass, store, live, made, cached } = await world([...others, finalizer])
  await kube.patchMetadata(made, { finalizers: [] })
  await kube.delete((await live())!)
  const again = await kube.create(made)
  await expect(releaseFinalizer(pass, store, cached)).rejects.toMatchObject({ kind: 'conflict' })
  expect(finalizersOf(await live())).toEqual(finalizersOf(again))
})
