import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Waits until `figure` has kept its value for `quietMs`.
 * @returns false if it was still changing after `limitMs`
 */
export async function untilStable(
  figure: () => Promise<number>,
  { quietMs, limitMs }: { readonly quietMs: number; readonly limitMs: number },
): Promise<boolean> {
  const deadlineMs = performance.now() + limitMs
  let last = await figure()
  let sinceMs = performance.now()
  while (performance.now() < deadlineMs) {
    await sleep(200)
    const now = await figure()
    if (now !== last) sinceMs = performance.now()
    last = now
    if (performance.now() - sinceMs >= quietMs) return true
  }
  return false
}

const idleShare = 0.05
const stepMs = 250

/** Waits until these processes use less than a twentieth of a core, or `limitMs`. */
export async function untilIdle(
  cpuSeconds: readonly (() => Promise<number>)[],
  limitMs: number,
): Promise<void> {
  const used = async () => {
    const each = await Promise.all(cpuSeconds.map((read) => read()))
    return each.reduce((sum, seconds) => sum + seconds, 0)
  }
  const deadlineMs = performance.now() + limitMs
  for (let last = await used(); performance.now() < deadlineMs;) {
    await sleep(stepMs)
    const now = await used()
    if (((now - last) * 1000) / stepMs < idleShare) return
    last = now
  }
}
