import type { FileStore } from '../files/file-store.ts'
import type { Attachments } from './attachments.ts'

/** Takes files out of sight whose points have all expired. @returns how many */
export function dropExpired(store: FileStore, attachments: Attachments, nowNs: bigint): number {
  return store.drop(({ databaseId, retentionPolicy, maxTimeNs }) => {
    const oldestNs = attachments.expiryNs(databaseId, retentionPolicy, nowNs)
    return oldestNs !== null && BigInt(maxTimeNs) < oldestNs
  })
}
