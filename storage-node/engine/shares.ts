const mebibyte = 1_048_576

export interface Shares {
  /** Buffers of this size are put into files. */
  readonly flushBytes: number
  /** Beyond this, writes are refused until a flush has made room. */
  readonly refuseBytes: number
  readonly queryProcess: { readonly memoryLimitBytes: number; readonly threads: number }
}

/**
 * How buffers and query process divide the memory limit. At 512 MiB, in MiB, as measured with bodies of 20 MB in random
 * order of time while a flush goes on:
 *
 * | the node's process: runtime, indexes                              |  90 |
 * | buffers, the frozen ones with them                                |  96 |
 * | a body, its points, its log record in clear and in cipher         | 110 |
 * | the query process: runtime and DuckDB without any data            | 100 |
 * | the query process: DuckDB's data (its `memory_limit`)             | 112 |
 */
export function shares(memoryLimitBytes: number): Shares {
  return {
    flushBytes: Math.max(8 * mebibyte, memoryLimitBytes / 16),
    refuseBytes: Math.max(24 * mebibyte, (memoryLimitBytes * 3) / 16),
    queryProcess: {
      // DuckDB does not work well with less than about 100 MB a thread.
      memoryLimitBytes: Math.max(112 * mebibyte, memoryLimitBytes / 4 - 16 * mebibyte),
      threads: memoryLimitBytes >= 1024 * mebibyte ? 2 : 1,
    },
  }
}
