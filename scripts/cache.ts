import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { withLock } from './lock.ts'

/** What stays when something newer of the same name is built. */
export interface Retention {
  /** Newest entries that stay however long nobody used them. */
  readonly entries: number
  /** An entry that was used this recently stays however many are newer: somebody may be reading it. */
  readonly usedMs: number
}

const DEFAULT_RETENTION: Retention = { entries: 4, usedMs: 24 * 60 * 60_000 }

/** `$HOLDFAST_CACHE`, or `~/.cache/holdfast`: everything in it can be deleted at any time and is built again. */
export function cacheFolder(): string {
  const chosen = process.env['HOLDFAST_CACHE']
  return chosen === undefined || chosen === '' ? join(homedir(), '.cache', 'holdfast') : resolve(chosen)
}

/**
 * The folder that `build` made from exactly these inputs; built now if it is not there yet. `build` writes into a
 * private folder that gets its final name by one rename, so a finished folder is whole. Two processes that want
 * the same folder build it once.
 *
 * @param name what it is, as a file name: `kubernetes`, `image-operator`
 * @param inputs all that the result depends on: contents of sources, lock files, flags, versions of tools
 * @returns the absolute path of the finished folder; treat it as read-only
 */
export async function cached(
  name: string,
  inputs: readonly (string | Uint8Array)[],
  build: (folder: string) => Promise<void>,
  retention = DEFAULT_RETENTION,
): Promise<string> {
  const shelf = join(cacheFolder(), name)
  const finished = join(shelf, cacheKey(inputs))
  if (await touched(finished)) return finished
  await withLock(`${finished}.lock`, async () => {
    if (await touched(finished)) return
    const draft = `${finished}.${randomUUID()}.draft`
    await mkdir(draft, { recursive: true })
    try {
      await build(draft)
      await rename(draft, finished)
    } catch (error) {
      await rm(draft, { recursive: true, force: true })
      if (!(await touched(finished))) throw error
    }
    await prune(shelf, retention)
  })
  return finished
}

/** Each input goes in with its length, so that moving a byte from one to the next is another key. */
export function cacheKey(inputs: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256')
  for (const input of inputs) {
    const bytes = typeof input === 'string' ? Buffer.from(input) : input
    hash.update(`${bytes.byteLength}:`).update(bytes)
  }
  return hash.digest('hex').slice(0, 32)
}

/** Marks the folder as used now; false if it is not there. */
async function touched(folder: string): Promise<boolean> {
  try {
    await utimes(folder, new Date(), new Date())
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** Removes what nobody used lately beyond the newest few, drafts of builds that were killed among it. */
async function prune(shelf: string, retention: Retention): Promise<void> {
  const names = (await readdir(shelf)).filter((entry) => !entry.includes('.lock'))
  const entries = await Promise.all(
    names.map(async (entry) => {
      const path = join(shelf, entry)
      return { path, usedMs: (await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now() }
    }),
  )
  const oldest = entries.sort((a, b) => b.usedMs - a.usedMs).slice(retention.entries)
  for (const { path, usedMs } of oldest) {
    if (Date.now() - usedMs > retention.usedMs) await rm(path, { recursive: true, force: true })
  }
}
