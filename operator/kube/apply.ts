import { createHash } from 'node:crypto'
import { canonicalJson } from '../../common/state-document.ts'
import type { Logger } from '../../common/log.ts'
import type { KubeClient } from './client.ts'
import { differs } from './differs.ts'
import { refText, type KubeObject } from './object.ts'

/**
 * Holds the digest of what was applied last. What is still there cannot tell that something of ours is no longer
 * wanted; this can, and then applying removes it.
 */
export const appliedAnnotation = 'holdfast.dev/applied'

export type Applied =
  | { readonly outcome: 'created' | 'unchanged'; readonly object: KubeObject }
  /** @property path where the difference was found first */
  | { readonly outcome: 'changed'; readonly path: string; readonly object: KubeObject }

/**
 * Makes an object hold what `desired` says, by server-side apply, forced: of these fields we are the only owner.
 * Writes nothing if it holds it already.
 * @param live what the cache has, or undefined
 * @returns `object` as it is after that; put it into the cache with `observe`
 * @throws AppError as `KubeClient.apply`; `conflict` if `live` was deleted or replaced meanwhile
 */
export async function applyObject(
  client: KubeClient,
  live: KubeObject | undefined,
  desired: KubeObject,
  log: Logger,
): Promise<Applied> {
  const intent = withDigest(desired)
  const facts = { objectKind: desired.kind, object: refText(desired.metadata) }
  if (!live) {
    const object = await client.apply(intent)
    log.info(facts, 'object created')
    return { outcome: 'created', object }
  }
  const path = differs(live, intent)
  if (path === null) return { outcome: 'unchanged', object: live }
  const { uid } = live.metadata
  const object = await client.apply({ ...intent, metadata: { ...intent.metadata, ...(uid ? { uid } : {}) } })
  // The API server stores nothing when applying changes nothing.
  if (object.metadata.resourceVersion === live.metadata.resourceVersion)
    return { outcome: 'unchanged', object }
  log.info({ ...facts, path }, 'object changed')
  return { outcome: 'changed', path, object }
}

function withDigest(desired: KubeObject): KubeObject {
  const digest = createHash('sha256').update(canonicalJson(desired)).digest('hex')
  const annotations = { ...desired.metadata.annotations, [appliedAnnotation]: digest }
  return { ...desired, metadata: { ...desired.metadata, annotations } }
}
