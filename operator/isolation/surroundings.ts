import { isIP } from 'node:net'
import { mayBeTried, type Attempt, type Outcome, type Reach } from '../../common/attempts.ts'
import type { Clock } from '../../common/clock.ts'
import { withRoom } from '../../common/bounded-map.ts'
import type { Look } from './verdict.ts'
import { look, type Tried, type Triers } from './look.ts'
import type { Surroundings } from './paths.ts'

export interface Place {
  readonly host: string
  readonly port: number
}

/** Where things are, by name; null for what this installation does not have. */
export interface Places {
  readonly probe: string | null
  readonly gateway: Place | null
  /** The address of a name server. */
  readonly nameServer: string | null
}

/** For so long an address and a control of one pass are those of others that begin meanwhile. */
const freshMs = 5_000
const keptLimit = 1_000

interface Kept<Value> {
  readonly untilMs: number
  readonly value: Promise<Value>
}

/** Looks at organizations out of where the operator is. */
export class Surveyor {
  readonly #places: Places
  readonly #triers: Pick<Triers, 'fromNode' | 'fromProbe'>
  readonly #resolve: (host: string) => Promise<string | null>
  readonly #reach: Reach
  readonly #clock: Clock
  readonly #addresses = new Map<string, Kept<string | null>>()
  readonly #controls = new Map<string, Kept<Outcome>>()

  constructor(options: {
    readonly places: Places
    readonly triers: Pick<Triers, 'fromNode' | 'fromProbe'>
    /** null for a name that has no address. */
    readonly resolve: (host: string) => Promise<string | null>
    readonly reach: Reach
    readonly clock: Clock
  }) {
    this.#places = options.places
    this.#triers = options.triers
    this.#resolve = options.resolve
    this.#reach = options.reach
    this.#clock = options.clock
  }

  async look(tried: Tried, others: () => Iterable<Tried>): Promise<Look> {
    const { probe, gateway, nameServer } = this.#places
    if (probe === null) return { paths: [], troubles: [{ why: 'this installation has no isolation probe' }] }
    const [probeAddress, gatewayAttempt] = await Promise.all([this.#address(probe), this.#attempt(gateway)])
    const around: Surroundings = {
      probe: probeAddress,
      gateway: gatewayAttempt,
      nameServer: isTried(nameServer) ? { protocol: 'dns', address: nameServer, port: 53 } : null,
      neighbour: neighbourOf(tried, others()),
    }
    return look(tried, around, { ...this.#triers, reach: (attempt) => this.#control(attempt) })
  }

  async #attempt(place: Place | null): Promise<Attempt | null> {
    const address = place && (await this.#address(place.host))
    return place && address !== null ? { protocol: 'tcp', address, port: place.port } : null
  }

  async #address(host: string): Promise<string | null> {
    return isIP(host) === 0 ? this.#kept(this.#addresses, host, () => this.#resolve(host)) : host
  }

  #control(attempt: Attempt): Promise<Outcome> {
    const key = `${attempt.protocol} ${attempt.address} ${attempt.port}`
    return this.#kept(this.#controls, key, () => this.#reach(attempt))
  }

  #kept<Value>(map: Map<string, Kept<Value>>, key: string, ask: () => Promise<Value>): Promise<Value> {
    const nowMs = this.#clock.monotonicMs()
    const known = map.get(key)
    if (known && known.untilMs > nowMs) return known.value
    map.delete(key)
    const value = ask()
    withRoom(map, keptLimit).set(key, { untilMs: nowMs + freshMs, value })
    return value
  }
}

/** An operator outside of the cluster may have one on its own machine. */
const isTried = (address: string | null): address is string => address !== null && mayBeTried(address)

/** A storage node of another organization that is ready; the same one for most, as long as it is there. */
function neighbourOf({ organizationId }: Tried, others: Iterable<Tried>): string | null {
  for (const other of others) {
    const pod =
      other.organizationId === organizationId ? undefined : other.pods.find(({ isReady }) => isReady)
    if (pod) return pod.ip
  }
  return null
}
