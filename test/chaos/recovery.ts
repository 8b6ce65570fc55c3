/** Something that was tried: a query of a tenant, a change that the operator is to take up. Times as of one clock. */
export interface Attempt {
  readonly startedMs: number
  readonly endedMs: number
  readonly ok: boolean
}

/**
 * How long after a fault everything was well again: until the first success that was started after the last failure.
 * A fault may show late, when a pod has said goodbye to its clients, so one success does not mean that it is over.
 * @param attempts in the order of their starts
 * @param fromMs when the fault struck
 * @param untilMs failures from here on are another fault's
 * @returns null where nothing has succeeded since
 */
export function recoveryMs(attempts: readonly Attempt[], fromMs: number, untilMs: number): number | null {
  const since = attempts.filter(({ startedMs }) => startedMs >= fromMs)
  const failure = since.findLast(({ ok, startedMs }) => !ok && startedMs < untilMs)
  const success = since.find(({ ok, startedMs }) => ok && (!failure || startedMs > failure.startedMs))
  return success ? success.endedMs - fromMs : null
}
