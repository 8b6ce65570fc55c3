import * as z from 'zod'
import type { KubeObject } from '../kube/object.ts'
import { labelKeys } from '../naming/labels.ts'
import { storageNode, volumeClaim } from '../naming/names.ts'
import type { ExistingStorageNodes } from './input.ts'
import { rolloutAnnotations } from './rollout.ts'
import { templateAnnotations } from './template.ts'

/** Of a pod template, by `kubectl rollout restart`. */
export const restartedAnnotation = 'kubectl.kubernetes.io/restartedAt'

const liveSchema = z.object({
  metadata: z.object({
    labels: z.record(z.string(), z.string()).default({}),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({
    template: z.object({
      metadata: z.object({ annotations: z.record(z.string(), z.string()).default({}) }).optional(),
      spec: z.object({ containers: z.array(z.object({ name: z.string(), image: z.string() })) }),
    }),
    volumeClaimTemplates: z.array(
      z.object({
        metadata: z.object({ name: z.string() }),
        spec: z.object({
          storageClassName: z.string().nullable().default(null),
          resources: z.object({ requests: z.object({ storage: z.string() }) }),
        }),
      }),
    ),
  }),
})

/**
 * What of a live StatefulSet is to stay.
 * @returns null where there is none, or one that is not like ours: then it is made anew
 */
export function existingStorageNodes(statefulSet: KubeObject | null): ExistingStorageNodes | null {
  const parsed = liveSchema.safeParse(statefulSet)
  if (!parsed.success) return null
  const { metadata, spec } = parsed.data
  const image = spec.template.spec.containers.find(({ name }) => name === storageNode)?.image
  const claim = spec.volumeClaimTemplates.find(({ metadata }) => metadata.name === volumeClaim)
  if (image === undefined || claim === undefined) return null
  const { annotations } = metadata
  const text = annotations[templateAnnotations.template]
  const mac = annotations[templateAnnotations.mac]
  const rollout = annotations[rolloutAnnotations.rollout]
  const rolloutMac = annotations[rolloutAnnotations.mac]
  return {
    version: metadata.labels[labelKeys.version] ?? null,
    image,
    restartedAt: spec.template.metadata?.annotations[restartedAnnotation] ?? null,
    claim: {
      size: claim.spec.resources.requests.storage,
      storageClassName: claim.spec.storageClassName,
    },
    template:
      text !== undefined && mac !== undefined
        ? { text, inputs: annotations[templateAnnotations.inputs] ?? null, mac }
        : null,
    rollout: rollout !== undefined && rolloutMac !== undefined ? { text: rollout, mac: rolloutMac } : null,
  }
}
