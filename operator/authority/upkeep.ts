import type { Clock } from '../../common/clock.ts'
import { messageOf } from '../../common/errors.ts'
import type { Component } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/log.ts'

/** What somebody edits or deletes is back within five seconds. */
const lookMs = 4_000

/**
 * Looks after what the authority keeps in its own namespace, for as long as the operator leads, and once before anything
 * else starts. What cannot be written there, by a quota or a policy of somebody else's, keeps nobody's tenants waiting.
 */
export function authorityUpkeep(parts: {
  readonly refresh: () => Promise<void>
  readonly failed: () => void
  readonly clock: Clock
  readonly log: Logger
}): Component {
  const { refresh, failed, clock, log } = parts
  const stopping = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let told = ''
  const look = async (): Promise<void> => {
    try {
      await refresh()
      told = ''
    } catch (error) {
      failed()
      const reason = messageOf(error)
      if (reason !== told) log.error({ reason }, 'certificates not looked after')
      told = reason
    }
  }
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await clock.sleep(lookMs, stopping.signal).catch(() => undefined)
      if (!stopping.signal.aborted) await look()
    }
  }
  return {
    name: 'certificate renewal',
    start: async () => {
      await look()
      running = run()
    },
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}
