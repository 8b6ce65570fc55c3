import { AppError } from '../../common/errors.ts'
import type { DatabaseState } from '../../common/state-document.ts'
import type { WriteOutcome } from '../engine/outcome.ts'
import {
  maxReportedErrors,
  type LineError,
  type ParsedBatch,
  type Precision,
} from '../line-protocol/batch.ts'
import { withArriving } from './body.ts'
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

/**
 * Writes a body of line protocol: what is good is stored, durably, and what is not is reported. A large body is stored
 * batch by batch: where one of them fails, those before it stay, and sending the body again changes nothing about them.
 */
export async function writeLines(
  parts: NodeParts,
  exchange: AuthenticatedExchange,
  target: WriteTarget,
): Promise<WriteReport> {
  const engine = requireEngine(parts)
  const written = parts.turns.urgent()
  const report = withArriving(exchange, parts.bodies, async (body) => {
    const { database, retentionPolicy, precision } = target
    const options = { precision, nowNs: parts.clock.nowNs() }
    const tally = new Tally()
    let stored: Promise<WriteOutcome> | null = null
    const admit = () =>
      parts.writeRate.take(body.totalBytes, requireState(parts).document.limits.writeBytesPerSecond)
    let isAdmitted = body.isWhole
    if (isAdmitted) admit()
    let wantedBytes = 0
    const batches = parts.lines.parse(body, options)
    for (;;) {
      wantedBytes += parts.lines.sectionBytes
      await body.arrived(wantedBytes)
      await parts.rounds.next()
      const { value: batch } = batches.next()
      if (!batch) break
      if (!isAdmitted) {
        // Nothing is stored of a body that is damaged further on.
        await body.whole()
        admit()
        isAdmitted = true
      }
      tally.addErrors(batch)
      // The batch before becomes durable while this one is parsed.
      if (stored) tally.addOutcome(await stored)
      stored = isEmpty(batch) ? null : engine.write({ databaseId: database.id, retentionPolicy, batch })
      // It is awaited after the next batch; what that may throw must not leave it without anybody.
      stored?.catch(() => undefined)
    }
    if (stored) tally.addOutcome(await stored)
    return tally.report(body.totalBytes)
  })
  return report.finally(written)
}

const isEmpty = (batch: ParsedBatch): boolean => batch.pointCount === 0 && batch.rejections.length === 0

/** What became of the batches of one body. */
class Tally {
  readonly #errors: LineError[] = []
  #errorCount = 0
  #accepted = 0
  #dropped = 0
  #firstProblem: string | null = null

  addErrors({ errors, errorCount }: ParsedBatch): void {
    this.#errorCount += errorCount
    this.#errors.push(...errors.slice(0, maxReportedErrors - this.#errors.length))
  }

  addOutcome({ accepted, problems }: WriteOutcome): void {
    this.#accepted += accepted
    this.#firstProblem ??= problems[0]?.message ?? null
    for (const { dropped } of problems) this.#dropped += dropped
  }

  report(bodyBytes: number): WriteReport {
    const unsaid = this.#errorCount - this.#errors.length
    const lines = [...this.#errors.map(textOfLine), ...(unsaid > 0 ? [`and ${unsaid} more lines`] : [])]
    return {
      bodyBytes,
      accepted: this.#accepted,
      parseErrors: lines.length > 0 ? lines.join('\n') : null,
      partial:
        this.#firstProblem === null ? null : `partial write: ${this.#firstProblem} dropped=${this.#dropped}`,
    }
  }
}

const textOfLine = ({ text, message }: LineError): string => `unable to parse '${text}': ${message}`

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
