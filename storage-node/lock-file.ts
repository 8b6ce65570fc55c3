import { join } from 'node:path'
import * as z from 'zod'
import { idPattern } from '../common/ids.ts'
import type { Disk } from './disk/disk.ts'

const markSchema = z.discriminatedUnion('state', [
  z.strictObject({ state: z.literal('locked'), keyIds: z.array(z.string().regex(idPattern)) }),
  z.strictObject({ state: z.literal('await-push') }),
])

/**
 * Why a node does not serve what its volume keeps. `locked`: it reads no data key; `keyIds` are those without which its
 * volume does not open, none where that is not known. `await-push`: the key is back, and tokens may have been revoked
 * meanwhile, so nobody is served by the document that was kept.
 */
export type LockMark = z.infer<typeof markSchema>

/** `state/locked` below the data folder: in clear, since it is there for want of a key, and names keys by id alone. */
export interface LockFile {
  /** @returns null of a node that may read its key and serve */
  read(): Promise<LockMark | null>
  /** Durable when it resolves. */
  replace(mark: LockMark): Promise<void>
  /** Durable when it resolves. */
  remove(): Promise<void>
}

export function lockFile(disk: Disk, dataDir: string): LockFile {
  const folder = join(dataDir, 'state')
  const file = join(folder, 'locked')
  return {
    async read() {
      if (!(await disk.exists(file))) return null
      const text = Buffer.from(await disk.read(file)).toString('utf8')
      // A damaged one still says that somebody has locked the node.
      return markSchema.safeParse(jsonOf(text)).data ?? { state: 'locked', keyIds: [] }
    },
    async replace(mark) {
      await disk.makeFolder(folder)
      await disk.replace(file, Buffer.from(`${JSON.stringify(mark)}\n`))
    },
    async remove() {
      await disk.remove(file)
      await disk.syncFolder(folder)
    },
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
