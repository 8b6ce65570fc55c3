import type { Audit } from '../../common/audit.ts'
import type { Attempts } from '../../common/attempts.ts'
import type { Clock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { DataKeyChange } from '../data-key-change.ts'
import type { Engine } from '../engine/engine.ts'
import type { UsedTokens } from '../auth/token-uses.ts'
import type { CatalogCommands, QueryLimits } from '../query/influxql/context.ts'
import type { HeldBytes } from '../query/held-bytes.ts'
import type { StateInForce, StateStore } from '../state/state-store.ts'
import type { LineParser } from '../line-protocol/line-parser.ts'
import type { Activity } from './activity.ts'
import type { BodyBudget } from './body.ts'
import type { NodeMetrics } from './metrics.ts'
import type { QuerySlots, RequestRate, WriteRate } from './limits.ts'
import type { Rounds } from './rounds.ts'
import type { Turns } from './turns.ts'

/** What the endpoints work with. */
export interface NodeParts {
  readonly organizationId: string
  /** false lets everybody do everything, for a node that runs alone. */
  readonly authentication: boolean
  readonly usedTokens: UsedTokens
  readonly store: StateStore
  /** null until what the log holds has been replayed. */
  engine(): Engine | null
  readonly dataKeys: DataKeyChange
  readonly commands: CatalogCommands
  /** Those that no organization has a say in. */
  readonly queryLimits: Omit<QueryLimits, 'maxRows'>
  readonly bodies: BodyBudget
  readonly lines: LineParser
  readonly slots: QuerySlots
  readonly held: HeldBytes
  readonly turns: Turns
  /** Of bodies. */
  readonly rounds: Rounds
  readonly writeRate: WriteRate
  readonly requestRate: RequestRate
  readonly activity: Activity
  /** To reach addresses that must be out of reach, for the operator. */
  readonly attempts: Attempts
  readonly metrics: NodeMetrics
  readonly audit: Audit
  readonly clock: Clock
  readonly log: Logger
  readonly startedMs: number
}

/** @throws AppError unavailable while no document is in force */
export function requireState(parts: NodeParts): StateInForce {
  const state = parts.store.inForce
  if (!state) throw new AppError('unavailable', 'ERR_NODE_STARTING', 'the node waits for its state document')
  return state
}

/** @throws AppError unavailable while the engine is being opened */
export function requireEngine(parts: NodeParts): Engine {
  const engine = parts.engine()
  if (!engine) throw new AppError('unavailable', 'ERR_NODE_STARTING', 'the node is replaying its log')
  return engine
}
