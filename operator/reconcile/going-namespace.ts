import * as z from 'zod'
import type { KubeObject } from '../kube/object.ts'

const statusSchema = z.object({
  conditions: z.array(z.object({ type: z.string(), status: z.string(), message: z.string().default('') })),
})

/** Of the conditions of a namespace that is going, those that name what holds it, the most telling first. */
const telling = [
  'NamespaceFinalizersRemaining',
  'NamespaceContentRemaining',
  'NamespaceDeletionContentFailure',
  'NamespaceDeletionDiscoveryFailure',
  'NamespaceDeletionGroupVersionParsingFailure',
]

const messageLimit = 1_024

/**
 * Says that a namespace is being deleted, and what keeps it, in its controller's words: a finalizer of somebody else's
 * on an object in it may do so for ever, and nothing of ours can take that away.
 */
export function goingMessage(namespace: KubeObject): string {
  const going = `Namespace ${namespace.metadata.name} is being deleted`
  const conditions = statusSchema.safeParse(namespace['status']).data?.conditions ?? []
  const found = telling
    .map((wanted) => conditions.find(({ type, status }) => type === wanted && status === 'True'))
    .find((condition) => condition !== undefined)
  return found ? `${going}: ${found.message.slice(0, messageLimit)}` : going
}
