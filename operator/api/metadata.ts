import * as z from 'zod'
import { namespaceName, objectName } from './fields.ts'

/** Metadata of a stored object of ours: what the operator reads of it, the rest kept as it is. */
export const metadataSchema = z.looseObject({
  name: objectName(),
  namespace: namespaceName(),
  uid: z.string().min(1),
  generation: z.int().min(0).default(0),
  resourceVersion: z.string().optional(),
  /** RFC 3339, whole seconds. */
  creationTimestamp: z.string(),
  deletionTimestamp: z.string().optional(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  finalizers: z.array(z.string()).default([]),
})

export type Metadata = z.infer<typeof metadataSchema>
