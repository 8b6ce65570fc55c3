import { AppError } from '../../../common/errors.ts'
import type { Precision } from '../../line-protocol/batch.ts'
import { requireWrite } from '../access.ts'
import type { AuthenticatedExchange } from '../exchange.ts'
import { requireState, type NodeParts } from '../parts.ts'
import { respond } from '../respond.ts'
import { requirePolicy, writeLines } from '../write.ts'

const precisions = new Map<string, Precision>([
  ['', 'n'],
  ['n', 'n'],
  ['ns', 'n'],
  ['u', 'u'],
  ['ms', 'ms'],
  ['s', 's'],
  ['m', 'm'],
  ['h', 'h'],
])
const consistencyLevels = new Set(['', 'any', 'one', 'quorum', 'all'])

const invalid = (code: `ERR_${string}`, message: string) => new AppError('invalid', code, message)

/** `POST /write?db=&rp=&precision=&consistency=`, InfluxDB 1.8. */
export async function writeV1(parts: NodeParts, exchange: AuthenticatedExchange): Promise<void> {
  const { query } = exchange
  const precisionText = query.get('precision') ?? ''
  const precision = precisions.get(precisionText)
  if (precision === undefined) {
    throw invalid(
      'ERR_PRECISION',
      `invalid precision ${JSON.stringify(precisionText)} (use n, u, ms, s, m or h)`,
    )
  }
  const name = query.get('db') ?? ''
  if (name === '') throw invalid('ERR_DATABASE_REQUIRED', 'database is required')
  requireWrite(parts, exchange, name)
  const database = requireState(parts).document.databases.find((there) => there.name === name)
  if (!database) {
    throw new AppError('not-found', 'ERR_DATABASE_NOT_FOUND', `database not found: ${JSON.stringify(name)}`)
  }
  if (!consistencyLevels.has((query.get('consistency') ?? '').toLowerCase())) {
    throw invalid('ERR_CONSISTENCY', 'invalid consistency level')
  }
  const retentionPolicy = query.get('rp') || null
  requirePolicy(database, retentionPolicy)

  const report = await writeLines(parts, exchange, { database, retentionPolicy, precision })
  if (report.partial !== null) throw invalid('ERR_WRITE_PARTIAL', report.partial)
  if (report.parseErrors !== null) {
    throw invalid(
      'ERR_WRITE_PARSE',
      report.accepted > 0 ? `partial write: ${report.parseErrors} dropped=0` : report.parseErrors,
    )
  }
  respond(exchange, 204, {}, '')
}
