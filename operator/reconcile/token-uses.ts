import { messageOf } from '../../common/errors.ts'
import type { PodReport } from '../observe/runtime.ts'
import type { Pass } from './pass.ts'
import { addressOf } from './push.ts'

/** What nodes know of uses is lost with their processes, so it is asked for more often than it is said. */
const everyMs = 300_000

/**
 * When token strings of an organization were last let in, as its nodes say, where it is time to ask them. A process that
 * has just begun to look after organizations asks none of them: it has more urgent things to do for all at one time.
 * @returns RFC 3339, by id of the string
 */
export async function lookAtTokenUses(
  pass: Pass,
  organizationId: string,
  reports: readonly PodReport[],
): Promise<ReadonlyMap<string, string>> {
  const uses = new Map<string, string>()
  if (!pass.memory.isUsesLookDue(organizationId, pass.clock.monotonicMs(), everyMs)) return uses
  const serving = reports.filter(({ result }) => result === 'confirmed')
  await Promise.all(
    serving.map(async ({ pod }) => {
      try {
        const answer = await pass.nodes.tokenUses(addressOf(organizationId, pod), pass.signal)
        for (const { id, lastUsedAt } of answer.uses)
          if (lastUsedAt > (uses.get(id) ?? '')) uses.set(id, lastUsedAt)
      } catch (error) {
        // Nothing depends on it, and the next look comes by itself.
        pass.log.debug({ organizationId, pod: pod.name, reason: messageOf(error) }, 'token uses not known')
      }
    }),
  )
  return uses
}
