import { readFile } from 'node:fs/promises'
import type { OperatorHarness } from '../../integration/operator-harness.ts'

/** What a process of the operator holds and has used. */
export interface Vitals {
  /** Resident set, now and at most since the process began. */
  readonly rssBytes: number
  readonly peakBytes: number
  /** User and system time since the process began. */
  readonly cpuSeconds: number
  /** How late the event loop was since this was asked for last. */
  readonly delayP50Ms: number
  readonly delayP99Ms: number
  readonly delayMaxMs: number
}

/** The interval of the timer that is watched: what is over it is the delay. */
const timerMs = 10
const ticksPerSecond = 100

export async function vitalsOf(operator: OperatorHarness): Promise<Vitals> {
  const [status, stat, metrics] = await Promise.all([
    readFile(`/proc/${operator.pid}/status`, 'utf8'),
    readFile(`/proc/${operator.pid}/stat`, 'utf8'),
    operator.metrics(),
  ])
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024
  // Fields 14 and 15; the name in brackets before them may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const delayMs = (part: string): number => {
    const found = new RegExp(`^nodejs_eventloop_lag_${part}_seconds\\{[^}]*\\} (\\S+)$`, 'm').exec(metrics)
    return Math.max(0, Number(found?.[1]) * 1_000 - timerMs)
  }
  return {
    rssBytes: bytes('VmRSS'),
    peakBytes: bytes('VmHWM'),
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    delayP50Ms: delayMs('p50'),
    delayP99Ms: delayMs('p99'),
    delayMaxMs: delayMs('max'),
  }
}
