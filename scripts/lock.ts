import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../common/errors.ts'
import { isAlive, processIdentity } from './process-identity.ts'

const POLL_MS = 200
const DEFAULT_WAIT_MS = 45 * 60_000

export interface LockOptions {
  /** How long to wait for the holder. */
  readonly waitMs?: number
  /** Called once if somebody else holds the lock. */
  readonly onWait?: () => void
}

/**
 * Runs `work` while no other process (and no other caller in this one) holds the lock file. The lock of a process
 * that died is taken over. Two that take over the same dead lock at the same instant may both run, so `work` must
 * stay correct, if wasteful, when it runs twice.
 *
 * @throws AppError ERR_SCRIPT_LOCKED if the holder is still at it after `waitMs`
 */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  { waitMs = DEFAULT_WAIT_MS, onWait }: LockOptions = {},
): Promise<T> {
  const own = `${processIdentity(process.pid)}\n${randomUUID()}`
  await mkdir(dirname(path), { recursive: true })
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, own)
  try {
    const untilMs = performance.now() + waitMs
    for (let tries = 0; !(await linked(draft, path)); tries += 1) {
      const holder = await readFile(path, 'utf8').catch(() => '')
      if (holder !== '' && !isAlive(holder.split('\n', 1)[0]!)) {
        await rm(path, { force: true })
        continue
      }
      if (tries === 0) onWait?.()
      if (performance.now() > untilMs) {
        throw new AppError(
          'unavailable',
          'ERR_SCRIPT_LOCKED',
          `${path} is held by process ${holder.split(' ', 1)[0]}`,
        )
      }
      await sleep(POLL_MS)
    }
  } finally {
    await rm(draft, { force: true })
  }
  try {
    return await work()
  } finally {
    if ((await readFile(path, 'utf8').catch(() => '')) === own) await rm(path, { force: true })
  }
}

/** A hard link appears with its content or not at all, so that nobody ever reads half a lock. */
async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
