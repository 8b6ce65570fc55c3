import { AppError } from '../../../common/errors.ts'
import type { Reader } from '../../engine/reader.ts'
import { queryRequestOf } from '../../http/v1/query-request.ts'
import { encodeCsv, encodeCsvError } from '../encode/csv.ts'
import { encodeJson, encodeJsonError } from '../encode/json.ts'
import type { CatalogCommands, QueryContext } from '../influxql/context.ts'
import { HeldBytes } from '../held-bytes.ts'
import { parseQuery, runQuery } from '../influxql/query.ts'

/** A request to /query, in the names of its parameters. */
export interface TestRequest {
  readonly q: string
  readonly parameters?: Readonly<Record<string, string>>
  readonly csv?: boolean
}

const weekNs = '604800000000000'

const commands: CatalogCommands = {
  createDatabase: async () => {},
  dropDatabase: async () => {},
  createRetentionPolicy: async () => {},
  alterRetentionPolicy: async () => {},
  dropRetentionPolicy: async () => {},
}

/** A context over one database, `d`, as InfluxDB makes it. */
export function contextOf(reader: Reader, changes: Partial<QueryContext> = {}): QueryContext {
  return {
    reader,
    catalog: {
      databases: () => [
        {
          id: '0123456789abcdef',
          name: 'd',
          retentionPolicies: [{ name: 'autogen', durationNs: '0', shardDurationNs: weekNs }],
          defaultRetentionPolicy: 'autogen',
        },
      ],
    },
    database: 'd',
    retentionPolicy: null,
    nowNs: 1_767_225_600_000_000_000n,
    readOnly: false,
    chunkSize: 10_000,
    authorize: () => null,
    commands,
    deletions: { databaseId: (name) => (name === 'd' ? '0123456789abcdef' : null), delete: async () => {} },
    limits: {
      maxSeries: 1_000_000,
      maxPoints: 10_000_000,
      maxBuckets: 1_000_000,
      maxRows: 1_000_000,
      maxColumns: 10_000,
      maxCells: 10_000_000,
      maxReads: 1_000,
      maxReadsOfColumn: 50,
    },
    held: new HeldBytes(1_000_000_000),
    endTurn: () => null,
    signal: new AbortController().signal,
    ...changes,
  }
}

/** What /query answers. */
export async function answer(
  reader: Reader,
  { q, parameters = {}, csv = false }: TestRequest,
): Promise<{ readonly status: number; readonly body: string }> {
  const pretty = parameters['pretty'] === 'true'
  try {
    const asked = queryRequestOf(new URLSearchParams({ db: 'd', ...parameters, q }), null)
    const { database, retentionPolicy, chunkSize, epoch, chunked } = asked
    const context = contextOf(reader, { database, retentionPolicy, chunkSize })
    const results = runQuery(parseQuery(asked.text, asked.parameters), context)
    const bytes = csv
      ? encodeCsv(results, { epoch }, context.endTurn)
      : encodeJson(results, { epoch, pretty, chunked }, context.endTurn)
    const parts: Uint8Array[] = []
    for await (const part of bytes) parts.push(part)
    return { status: 200, body: Buffer.concat(parts).toString() }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const body = csv ? encodeCsvError(error.message) : encodeJsonError(error.message, pretty)
    return { status: 400, body: Buffer.from(body).toString() }
  }
}
