import { beforeAll, describe, expect, test } from 'vitest'
import { AppError } from '../../common/errors.ts'
import type { WatchEvent } from '../../operator/kube/client.ts'
import { expired } from '../support/memory-kube.ts'
import type { Cluster } from './cluster.ts'
import { excess, limitMs, play, playQuietly } from './play.ts'
import { pointTable } from './points.ts'
import { scenarioNames, scenarios, type Scenario } from './scenarios.ts'

// Promise: whatever becomes of any one line of a watch, the operator ends where it ends without that, and creates and
// deletes nothing more often: at once where it can know, with the next full list where nothing tells. A stop on the way
// may be seen and told that is not seen without that: two of what is coming into being, one of anything else.

let all: readonly Scenario[]
beforeAll(async () => {
  all = await scenarios()
})

const check = pointTable('A watch delivers one line otherwise')

type World = Cluster['kube']['world']
type Deliver = World['deliver']

const never = new Promise<readonly WatchEvent[]>(() => undefined)
const silenceMs = 90_000
const relistMs = 1_400_000
const comingIntoBeing = ['create', 'restore']

interface Fate {
  readonly what: string
  /** Of the line itself; `before` are those that its kind has had. */
  readonly of: (event: WatchEvent, before: readonly WatchEvent[], world: World) => ReturnType<Deliver>
  readonly limitMs?: number
}

const fates: readonly Fate[] = [
  { what: 'lost', of: () => [], limitMs: relistMs },
  { what: 'frozen', of: () => never, limitMs: limitMs + silenceMs },
  { what: 'cut', of: () => new AppError('unavailable', 'ERR_KUBE_CUT', 'the line broke') },
  {
    what: 'expired',
    of: (_event, _before, world) => {
      // Nobody can take the watch up where it ended.
      world.compactedVersion = world.version
      return expired()
    },
  },
  { what: 'replayed', of: (event, before) => [event, ...before, event] },
]

describe.each(fates)('$what', ({ what, of, limitMs: within }) => {
  test.for(scenarioNames)('%s', async (name) => {
    const scenario = all.find((found) => found.name === name)!
    const reference = await playQuietly(scenario)
    const points = Array.from({ length: reference.lines }, (_line, at) => ({
      name: `line ${at + 1}`,
      play: async () => {
        const outcome = await play(scenario, reference, {
          prepare: ({ kube }) => {
            let seen = -1
            const before: WatchEvent[] = []
            kube.world.deliver = (event) => {
              seen += 1
              const sameKind = before.filter(({ object }) => object.kind === event.object.kind)
              before.push(event)
              return seen === at ? of(event, sameKind, kube.world) : [event]
            }
          },
          limitMs: within,
        })
        const over = excess(outcome, reference, comingIntoBeing.includes(name) ? 2 : 1)
        if (over !== '') throw new Error(over)
        return outcome.tookMs
      },
    }))
    expect(await check(`${what}, ${name}`, points)).toEqual([])
  })
})
