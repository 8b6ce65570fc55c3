import { Attempts } from '../common/attempts.ts'
import { watchEventLoop } from '../common/event-loop-delay.ts'
import { pressedCollection } from '../common/pressed-collection.ts'
import { reach } from '../common/reach.ts'
import { isSmallPod } from '../common/small-pod.ts'
import { UsedTokens } from './auth/token-uses.ts'
import type { NodeConfig } from './config.ts'
import { requireNone } from './disk/damage.ts'
import type { EngineComponent } from './engine-component.ts'
import type { NodeEnvironment } from './environment.ts'
import { Activity } from './http/activity.ts'
import { BodyBudget, maxBodyBytes } from './http/body.ts'
import { QuerySlots, RequestRate, WriteRate } from './http/limits.ts'
import { createNodeMetrics } from './http/metrics.ts'
import type { DataKeyCalls, NodeParts } from './http/parts.ts'
import { Rounds } from './http/rounds.ts'
import { Turns } from './http/turns.ts'
import { LineParser } from './line-protocol/line-parser.ts'
import { HeldBytes } from './query/held-bytes.ts'
import { aloneCommands, clusterCommands, type DataDisposal } from './state/alone.ts'
import type { StateStore } from './state/state-store.ts'

/** Of the memory limit: a series key that is remembered between bodies takes half a kilobyte to one of it. */
const bytesPerKnownSeries = 8_192
/** Queries that read points at one time: with more of them the query process has no memory left for flushes. */
const maxReadingQueries = 3
const bytesPerReadingQuery = 256 * 1_048_576
/** The operator tries closed paths every few minutes: more is nobody's need. */
const attemptBounds = { atOnce: 1, pauseMs: 500 }

function readingQueries({ memoryLimitBytes }: NodeConfig): number {
  return Math.min(maxReadingQueries, Math.max(1, Math.floor(memoryLimitBytes / bytesPerReadingQuery)))
}

/** One body of the largest size fits at least, what is left of it as it came beside what is decompressed. */
function bodyBytes({ memoryLimitBytes }: NodeConfig): number {
  // Two bodies of the largest size would leave too little for all else.
  if (isSmallPod(memoryLimitBytes)) return Math.ceil(1.25 * maxBodyBytes)
  return Math.max(2 * maxBodyBytes, Math.floor(memoryLimitBytes / 16))
}

export function dataOf(engine: Pick<EngineComponent, 'require'>): DataDisposal {
  return {
    databasesWithData: () => engine.require().databasesWithData(),
    requireWritable: () => requireNone(engine.require().damage),
    dropDatabase: (id) => engine.require().deleteDatabase(id),
  }
}

export interface PartsOptions {
  readonly config: NodeConfig
  readonly organizationId: string
  readonly store: StateStore
  readonly engine: Pick<EngineComponent, 'current' | 'require'>
  readonly dataKeys: DataKeyCalls
  readonly environment: NodeEnvironment
  /** The port at which the node answers itself, for its attempts. */
  readonly ownPort: () => number
  readonly lockedFor: NodeParts['lockedFor']
  readonly audit: NodeParts['audit']
}

/** What the endpoints of a storage node work with, one that is locked or one that serves. */
export function createParts(options: PartsOptions): NodeParts {
  const { config, organizationId, store, engine, dataKeys, ownPort, lockedFor, audit } = options
  const { clock, log, onEnd } = options.environment
  const bodies = new BodyBudget(bodyBytes(config))
  const slots = new QuerySlots(readingQueries(config))
  const activity = new Activity(clock)
  const metrics = createNodeMetrics({
    engineStats: () => engine.current?.stats() ?? null,
    servesStoredState: () => store.servesKept,
    damagedFiles: () => engine.current?.damage.length ?? 0,
    bodyBytesInFlight: () => bodies.usedBytes,
    runningQueries: () => slots.running,
    waitingQueries: () => slots.waiting,
    idleMs: () => activity.idleMs,
    eventLoopDelay: watchEventLoop(),
  })
  return {
    organizationId,
    authentication: config.mode === 'cluster' || config.authentication,
    usedTokens: new UsedTokens(),
    store,
    engine: () => engine.current,
    dataKeys,
    lockedFor,
    audit,
    end: onEnd,
    commands: config.mode === 'alone' ? aloneCommands(store, dataOf(engine)) : clusterCommands(store),
    queryLimits: {
      maxSeries: 1_000_000,
      maxPoints: 500_000_000,
      maxBuckets: 1_000_000,
      maxColumns: 10_000,
      maxCells: 100_000_000,
      maxReads: 1_000,
      maxReadsOfColumn: 50,
    },
    bodies,
    lines: new LineParser(Math.floor(config.memoryLimitBytes / bytesPerKnownSeries)),
    slots,
    held: new HeldBytes(Math.floor(config.memoryLimitBytes / 8)),
    turns: new Turns(
      clock,
      isSmallPod(config.memoryLimitBytes)
        ? pressedCollection(config.memoryLimitBytes, clock).look
        : undefined,
    ),
    rounds: new Rounds(),
    requestRate: new RequestRate(clock),
    writeRate: new WriteRate(clock),
    activity,
    attempts: new Attempts({ reach, ownPort, bounds: attemptBounds, clock }),
    metrics,
    clock,
    log,
    startedMs: clock.nowMs(),
  }
}
