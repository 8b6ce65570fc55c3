import { afterAll } from 'vitest'
import type { Call } from './faulty-client.ts'
import type { Outcome } from './play.ts'

/** One way in which a scenario can be disturbed, and how to play it. */
export interface Point {
  readonly name: string
  /** @throws Error when it did not end as it must; else the milliseconds of fake time that it took, null where nothing was disturbed */
  readonly play: () => Promise<number | null>
}

/** A point at each request that is hit. @param disturb plays it; `over` says what it came to too often, "" for nothing */
export function pointsAt(
  calls: readonly Call[],
  isHit: (call: Call) => boolean,
  disturb: (
    call: Call,
    at: number,
  ) => Promise<{ readonly outcome: Outcome; readonly over: string; readonly isIdle?: boolean }>,
): readonly Point[] {
  return calls.flatMap((call, at) =>
    isHit(call)
      ? [
          {
            name: `${call.verb} ${call.what} (request ${at + 1})`,
            play: async () => {
              const { outcome, over, isIdle = false } = await disturb(call, at)
              if (over !== '') throw new Error(over)
              return isIdle ? null : outcome.tookMs
            },
          },
        ]
      : [],
  )
}

interface Row {
  readonly what: string
  readonly points: number
  readonly longestMs: number
}

/** Plays points, tells those that failed, and prints, when all of a file's are done, how many there were. */
export function pointTable(
  title: string,
): (what: string, points: readonly Point[]) => Promise<readonly string[]> {
  const rows: Row[] = []
  const startMs = performance.now()
  afterAll(() => {
    const total = rows.reduce((sum, { points }) => sum + points, 0)
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(1)
    const lines = rows.map(
      ({ what, points, longestMs }) =>
        `  ${what.padEnd(44)}${String(points).padStart(6)}${`${longestMs / 1_000} s`.padStart(9)}`,
    )
    console.log(
      [`${title}: ${total} points in ${seconds} s; the longest took, of fake time`, ...lines].join('\n'),
    )
  })
  return async (what, points) => {
    const failures: string[] = []
    let longestMs = 0
    let idle = 0
    for (const { name, play } of points) {
      try {
        const tookMs = await play()
        if (tookMs === null) idle += 1
        else longestMs = Math.max(longestMs, tookMs)
      } catch (error) {
        failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    if (points.length > idle) rows.push({ what, points: points.length - idle, longestMs })
    return failures
  }
}
