import { AppError } from '../../common/errors.ts'
import type { DatabaseState } from '../../common/state-document.ts'
import type { WriteProblem } from '../engine/outcome.ts'
import type { LineError, ParsedBatch, Precision } from '../line-protocol/batch.ts'
import { parseLines } from '../line-protocol/parse.ts'
import { withBody } from './body.ts'
import type { AuthenticatedExchange } from './exchange.ts'
import { requireEngine, requireState, type NodeParts } from './parts.ts'

export interface WriteTarget {
  readonly database: DatabaseState
  /** null is the database's default policy. */
  readonly retentionPolicy: string | null
  readonly precision: Precision
}

export interface WriteReport {
  readonly bodyBytes: number
  readonly accepted: number
  /** Lines that are none, in the words of InfluxDB 1.8, or null. */
  readonly parseErrors: string | null
  /** Points that could not be stored, in the words of InfluxDB 1.8, or null. */
  readonly partial: string | null
}

/** Writes a body of line protocol: what is good is stored, durably, and what is not is reported. */
export async function writeLines(
  parts: NodeParts,
  exchange: AuthenticatedExchange,
  target: WriteTarget,
): Promise<WriteReport> {
  const engine = requireEngine(parts)
  return withBody(exchange, parts.bodies, async (body) => {
    parts.writeRate.take(body.length, requireState(parts).document.limits.writeBytesPerSecond)
    const batch = parseLines(body, target.precision, parts.clock.nowNs())
    const parseErrors = textOfErrors(batch)
    if (batch.pointCount === 0 && batch.rejections.length === 0) {
      return { bodyBytes: body.length, accepted: 0, parseErrors, partial: null }
    }
    const outcome = await engine.write({
      databaseId: target.database.id,
      retentionPolicy: target.retentionPolicy,
      batch,
    })
    return {
      bodyBytes: body.length,
      accepted: outcome.accepted,
      parseErrors,
      partial: textOfProblems(outcome.problems),
    }
  })
}

/** @throws AppError not-found, as InfluxDB 1.8 answers where the policy is not there */
export function requirePolicy(database: DatabaseState, retentionPolicy: string | null): void {
  if (retentionPolicy === null) return
  if (database.retentionPolicies.some(({ name }) => name === retentionPolicy)) return
  throw new AppError(
    'not-found',
    'ERR_WRITE_POLICY_NOT_FOUND',
    `retention policy not found: ${retentionPolicy}`,
  )
}

const textOfLine = ({ text, message }: LineError): string => `unable to parse '${text}': ${message}`

function textOfErrors(batch: ParsedBatch): string | null {
  if (batch.errorCount === 0) return null
  const unsaid = batch.errorCount - batch.errors.length
  const lines = batch.errors.map(textOfLine)
  return [...lines, ...(unsaid > 0 ? [`and ${unsaid} more lines`] : [])].join('\n')
}

function textOfProblems(problems: readonly WriteProblem[]): string | null {
  const [first] = problems
  if (!first) return null
  const dropped = problems.reduce((sum, problem) => sum + problem.dropped, 0)
  return `partial write: ${first.message} dropped=${dropped}`
}
