import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock, type Clock } from '../../common/clock.ts'
import { silentLogger, type Logger } from '../../common/log.ts'
import type { DatabaseState } from '../../common/state-document.ts'
import { ensureDuckdbExtension } from '../../scripts/duckdb-extension.ts'
import { nodeDisk } from '../../storage-node/disk/node-disk.ts'
import { Engine, type WriteOutcome } from '../../storage-node/engine/engine.ts'
import { parseLines } from '../../storage-node/line-protocol/parse.ts'

export const databaseId = '00000000000000aa'
const hourNs = 3_600_000_000_000n

export interface DatabaseOptions {
  readonly durationNs?: bigint
  readonly series?: number
  readonly fields?: number
}

export function databaseState(options: DatabaseOptions = {}, id = databaseId): DatabaseState {
  return {
    id,
    name: 'metrics',
    retentionPolicies: [
      {
        name: 'autogen',
        durationNs: String(options.durationNs ?? 0n),
        shardDurationNs: String(24n * hourNs),
      },
      { name: 'other', durationNs: '0', shardDurationNs: String(hourNs) },
    ],
    defaultRetentionPolicy: 'autogen',
    limits: { series: options.series ?? null, fieldsPerMeasurement: options.fields ?? 1000 },
  }
}

export interface OpenOptions extends DatabaseOptions {
  readonly clock?: Clock
  readonly keyByte?: number
  readonly organizationId?: string
  readonly dataKey?: Uint8Array
  readonly memoryLimitBytes?: number
  readonly log?: Logger
  readonly scrubIntervalMs?: number
}

export async function openEngine(dataFolder: string, options: OpenOptions = {}): Promise<Engine> {
  const engine = await Engine.open({
    disk: nodeDisk,
    clock: options.clock ?? systemClock,
    log: options.log ?? silentLogger,
    organizationId: options.organizationId ?? '0123456789abcdef',
    dataKey: options.dataKey ?? new Uint8Array(32).fill(options.keyByte ?? 1),
    dataFolder,
    queryProcess: {
      program: join(import.meta.dirname, '../../storage-node/query-process/main.ts'),
      extensionPath: await ensureDuckdbExtension(),
    },
    memoryLimitBytes: options.memoryLimitBytes ?? 512 * 1024 * 1024,
    scrubIntervalMs: options.scrubIntervalMs ?? 0,
    onFatal: (error) => {
      throw error
    },
  })
  engine.setDatabases([databaseState(options)])
  return engine
}

export function write(
  engine: Engine,
  lines: string,
  retentionPolicy: string | null = null,
): Promise<WriteOutcome> {
  return engine.write({ databaseId, retentionPolicy, batch: parseLines(Buffer.from(lines), 'ns', 0n) })
}

export interface Wanted {
  readonly measurement?: string
  readonly fields?: readonly string[]
  readonly retentionPolicy?: string
  readonly minTimeNs?: bigint
  readonly maxTimeNs?: bigint
  /** Default: all, in the order of their ids. */
  readonly seriesIds?: readonly number[]
}

/** Each point as `{tags} time field=value,…`, in the order in which blocks bring them. */
export async function readAll(engine: Engine, wanted: Wanted = {}): Promise<string[]> {
  const measurement = wanted.measurement ?? 'm'
  const fields = wanted.fields ?? ['v']
  const series = new Map([...engine.series(databaseId, measurement)].map((each) => [each.id, each]))
  const points: string[] = []
  const blocks = engine.read({
    databaseId,
    retentionPolicy: wanted.retentionPolicy ?? 'autogen',
    measurement,
    seriesIds: wanted.seriesIds ?? [...series.keys()].sort((a, b) => a - b),
    fields,
    minTimeNs: wanted.minTimeNs ?? -(2n ** 63n),
    maxTimeNs: wanted.maxTimeNs ?? 2n ** 63n - 1n,
    signal: AbortSignal.timeout(60_000),
  })
  for await (const block of blocks) {
    const tags = [...series.get(block.seriesId)!.tags].map(([key, value]) => `${key}=${value}`).join(',')
    for (const [row, timeNs] of block.times.entries()) {
      const values = block.columns.flatMap((column, index) => {
        if (column === null || column.present?.[row] === 0) return []
        const value = column.type === 'boolean' ? column.values[row] === 1 : column.values[row]
        return [`${fields[index]}=${Object.is(value, -0) ? '-0' : String(value)}`]
      })
      points.push(`{${tags}} ${timeNs} ${values.join(',')}`)
    }
  }
  return points
}

/** A folder that is gone when the test is over. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-engine-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** Names and contents of all files below a folder. */
export async function allFiles(folder: string): Promise<Map<string, Buffer>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = new Map<string, Buffer>()
  for (const entry of entries) {
    if (entry.isFile())
      files.set(join(entry.parentPath, entry.name), await readFile(join(entry.parentPath, entry.name)))
  }
  return files
}
