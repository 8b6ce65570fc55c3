import { Counter, Gauge, Histogram } from 'prom-client'
import type { EventLoopDelay } from '../../common/event-loop-delay.ts'
import { createRegistry } from '../../common/metrics.ts'
import type { EngineStats } from '../engine/engine.ts'

export interface MetricSources {
  engineStats(): EngineStats | null
  /** The document in force came from the volume, and the operator has not been heard of since the start. */
  servesStoredState(): boolean
  /** Files found damaged. */
  damagedFiles(): number
  bodyBytesInFlight(): number
  runningQueries(): number
  /** Those of them that may not read points yet. */
  waitingQueries(): number
  /** Since somebody was served. */
  idleMs(): number
  /** Since it was asked last. */
  eventLoopDelay(): EventLoopDelay
}

const engineGauges: readonly (readonly [keyof EngineStats, string, string])[] = [
  ['bufferBytes', 'holdfast_node_buffer_bytes', 'Points not yet in files'],
  ['bufferedRows', 'holdfast_node_buffered_rows', 'Rows not yet in files'],
  ['logBytes', 'holdfast_node_log_bytes', 'Size of the write-ahead log'],
  ['files', 'holdfast_node_files', 'Parquet files'],
  ['fileBytes', 'holdfast_node_file_bytes', 'Size of the Parquet files'],
  ['series', 'holdfast_node_series', 'Series that the index knows'],
  ['tombstones', 'holdfast_node_tombstones', 'Deletes that files have yet to see'],
  ['waitingFiles', 'holdfast_node_compaction_waiting_files', 'Files whose compaction failed and waits'],
  ['checkedFiles', 'holdfast_node_checked_files', 'Files read through since the start, to find damage'],
  ['checkEndedMs', 'holdfast_node_check_ended_milliseconds', 'When all files had been checked; 0 for never'],
  ['flushes', 'holdfast_node_flushes', 'Flushes since the start'],
  [
    'flushFailuresInRow',
    'holdfast_node_flush_consecutive_failures',
    'Flushes that failed since one succeeded; from 3 on the node says so in /ready',
  ],
  [
    'flushedS',
    'holdfast_node_flush_last_success_timestamp_seconds',
    'When a flush last succeeded, Unix time; 0 for never since the start',
  ],
  ['compactions', 'holdfast_node_compactions', 'Compactions since the start'],
  [
    'compactionFailuresInRow',
    'holdfast_node_compaction_consecutive_failures',
    'Compactions that failed since one succeeded; from 3 on the node says so in /ready',
  ],
  [
    'compactedS',
    'holdfast_node_compaction_last_success_timestamp_seconds',
    'When a compaction last succeeded, Unix time; 0 for never since the start',
  ],
  ['pointsWritten', 'holdfast_node_points_written', 'Points stored since the start'],
  ['diskFull', 'holdfast_node_disk_full', 'Writes are refused for want of space on the disk'],
  ['position', 'holdfast_node_log_position', 'The newest log position that is durable and applied'],
  ['checkpoint', 'holdfast_node_log_checkpoint', 'The log position up to which everything is in files'],
]

const engineCounters: readonly (readonly [keyof EngineStats, string, string])[] = [
  ['flushFailures', 'holdfast_node_flush_failures_total', 'Flushes that failed'],
  ['compactionFailures', 'holdfast_node_compaction_failures_total', 'Compactions that failed'],
]

export function createNodeMetrics(sources: MetricSources) {
  const registry = createRegistry('storage-node')
  const registers = [registry]
  for (const [key, name, help] of engineGauges) {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers,
      collect: (): void => gauge.set(sources.engineStats()?.[key] ?? 0),
    })
  }
  for (const [key, name, help] of engineCounters) {
    const counter: Counter = new Counter({
      name,
      help,
      registers,
      collect(): void {
        counter.reset()
        counter.inc(sources.engineStats()?.[key] ?? 0)
      },
    })
  }
  const sampled = (name: string, help: string, value: () => number): void => {
    const gauge: Gauge = new Gauge({ name, help, registers, collect: (): void => gauge.set(value()) })
  }
  sampled(
    'holdfast_node_idle_seconds',
    'How long nobody was served: what hibernation WhenIdle goes by',
    () => sources.idleMs() / 1000,
  )
  sampled(
    'holdfast_node_stored_state',
    'Serving the kept state document; the operator has not been heard of since the start',
    () => (sources.servesStoredState() ? 1 : 0),
  )
  sampled('holdfast_node_damaged_files', 'Files found damaged; above 0 the node is read-only', () =>
    sources.damagedFiles(),
  )
  sampled('holdfast_node_body_bytes', 'Request bodies in memory', () => sources.bodyBytesInFlight())
  sampled('holdfast_node_queries_running', 'Queries under way', () => sources.runningQueries())
  sampled('holdfast_node_queries_waiting', 'Queries under way that wait until others have read', () =>
    sources.waitingQueries(),
  )
  const delay: Gauge<'quantile'> = new Gauge({
    name: 'holdfast_node_event_loop_delay_seconds',
    help: 'How late the event loop was, since the metrics were asked for last; quantile 1 is the worst',
    labelNames: ['quantile'] as const,
    registers,
    collect(): void {
      const { p50Ms, p99Ms, maxMs } = sources.eventLoopDelay()
      delay.set({ quantile: '0.5' }, p50Ms / 1000)
      delay.set({ quantile: '0.99' }, p99Ms / 1000)
      delay.set({ quantile: '1' }, maxMs / 1000)
    },
  })
  return {
    registry,
    requests: new Counter({
      name: 'holdfast_node_requests_total',
      help: 'Requests by endpoint and status',
      labelNames: ['endpoint', 'status'] as const,
      registers,
    }),
    durations: new Histogram({
      name: 'holdfast_node_request_duration_seconds',
      help: 'Time from the request headers to the end of the answer',
      labelNames: ['endpoint'] as const,
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
      registers,
    }),
    denials: new Counter({
      name: 'holdfast_node_denials_total',
      help: 'Requests denied, by reason',
      labelNames: ['reason'] as const,
      registers,
    }),
  }
}

export type NodeMetrics = ReturnType<typeof createNodeMetrics>
