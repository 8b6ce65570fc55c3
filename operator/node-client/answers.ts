import * as z from 'zod'
import { tokenUsesLimit } from '../../common/admin-api.ts'
import { isId } from '../../common/ids.ts'

/** What storage nodes answer, as far as it is believed: a node may be of another version, or not itself any more. */
const shortText = z.string().transform((text) => text.slice(0, 500))
const fileDamageSchema = z.object({ file: shortText, offsetBytes: z.number().nullable(), what: shortText })
const nodeTroubleSchema = z.object({
  work: z.enum(['flush', 'compaction']),
  failures: z.int().min(1),
  since: z.iso.datetime(),
  message: shortText,
  refusesWrites: z.boolean(),
})

export const nodeStateSchema = z.object({
  organizationId: z.string(),
  digest: z.string().regex(/^([0-9a-f]{64})?$/),
  formatVersions: z.array(z.int()).min(1).max(100),
  version: z.string().max(100),
  databasesWithData: z.array(z.string().refine(isId)).max(100_000),
  damage: z.array(fileDamageSchema).max(1_000).default([]),
  troubles: z.array(nodeTroubleSchema).max(10).default([]),
  idleMs: z.int().min(0).optional(),
  lockedFor: z.array(z.string().refine(isId)).max(100).optional(),
})

export const dataKeyStateSchema = z.object({
  keyId: z.string().refine(isId),
  olderKeyIds: z.array(z.string().refine(isId)).max(100),
})

export const tokenUsesSchema = z.object({
  uses: z.array(z.object({ id: z.string().refine(isId), lastUsedAt: z.iso.datetime() })).max(tokenUsesLimit),
})

export const adminErrorSchema = z.object({ code: z.string().max(200), message: z.string().max(2_000) })
