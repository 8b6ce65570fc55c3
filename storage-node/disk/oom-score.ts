import { writeFile } from 'node:fs/promises'

const firstToGo = '1000'

/**
 * Where memory runs out, the kernel is to end this process before any other of the container. Where that cannot be
 * said, the kernel chooses by size.
 */
export async function goFirstWhenMemoryRunsOut(): Promise<void> {
  await writeFile('/proc/self/oom_score_adj', firstToGo).catch(() => undefined)
}
