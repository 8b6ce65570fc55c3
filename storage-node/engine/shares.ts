import { isSmallPod } from '../../common/small-pod.ts'
import type { Settings } from '../query-process/messages.ts'

const mebibyte = 1_048_576

export interface Shares {
  /** Buffers of this size are put into files. */
  readonly flushBytes: number
  /** Beyond this, writes are refused until a flush has made room. */
  readonly refuseBytes: number
  /** What may wait for the log at a time, unless it is one batch. */
  readonly waitingBytes: number
  /** What the query process gathers to make one file of it: rows times columns. */
  readonly cellsPerFile: number
  readonly queryProcess: Pick<
    Settings,
    'podMemoryBytes' | 'memoryLimitBytes' | 'blockCacheBytes' | 'heapBytes' | 'threads'
  >
}

/**
 * How buffers and query process divide the memory limit. At 512 MiB, with four writers of bodies of 18 MB in random
 * order of time (`test/node/bounded-memory.test.ts`), the most memory of their own that the processes were seen to have:
 *
 * | the node's process: runtime, bodies, points, log records, buffers | 357 MiB |
 * | the query process: runtime and DuckDB, of which `memory_limit` 112 | 180 MiB |
 * | both at one time                                                  | 436 MiB |
 */
export function shares(memoryLimitBytes: number): Shares {
  const bufferBytes = besideRuntimes(memoryLimitBytes)
  const blockCacheBytes = Math.max(8 * mebibyte, bufferBytes / 8)
  return {
    flushBytes: Math.max(6 * mebibyte, bufferBytes / 16),
    refuseBytes: Math.max(18 * mebibyte, (bufferBytes * 3) / 16),
    waitingBytes: Math.max(4 * mebibyte, memoryLimitBytes / 64),
    cellsPerFile: Math.max(
      1_000_000,
      Math.min(5_000_000, Math.ceil((5_000_000 * bufferBytes) / (512 * mebibyte))),
    ),
    queryProcess: {
      podMemoryBytes: memoryLimitBytes,
      // DuckDB does not work well with less than about 100 MB a thread.
      memoryLimitBytes: Math.max(112 * mebibyte, memoryLimitBytes / 4 - 16 * mebibyte),
      blockCacheBytes,
      // V8 lets buffers that nobody needs pile up in proportion to this. Blocks of strings lie in it.
      heapBytes: blockCacheBytes + 32 * mebibyte,
      threads: memoryLimitBytes >= 1024 * mebibyte ? 2 : 1,
    },
  }
}

/** Below 512 MiB the two runtimes take more than their part, for they do not shrink: what buffers follow shrinks faster. */
function besideRuntimes(memoryLimitBytes: number): number {
  return Math.min(memoryLimitBytes, (memoryLimitBytes - 192 * mebibyte) * 1.6)
}

/** Of a small pod; into others a million fit, which is the default of `spec.limits.series`. */
const bytesPerSeries = 800

/** How many series a pod has memory for beside all else; null where that is as many as an organization may have. */
export function seriesThatFit(memoryLimitBytes: number): number | null {
  if (!isSmallPod(memoryLimitBytes)) return null
  return Math.max(20_000, Math.floor((memoryLimitBytes - 128 * mebibyte) / bytesPerSeries))
}
