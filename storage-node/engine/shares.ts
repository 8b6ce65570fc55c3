const mebibyte = 1_048_576

export interface Shares {
  /** Buffers of this size are put into files. */
  readonly flushBytes: number
  /** Beyond this, writes are refused until a flush has made room. */
  readonly refuseBytes: number
  readonly queryProcess: { readonly memoryLimitBytes: number; readonly threads: number }
}

/** How buffers and query process divide the memory limit; the rest is for requests, indexes and the runtime. */
export function shares(memoryLimitBytes: number): Shares {
  return {
    flushBytes: Math.max(8 * mebibyte, memoryLimitBytes / 8),
    refuseBytes: Math.max(24 * mebibyte, (memoryLimitBytes * 3) / 8),
    queryProcess: {
      // DuckDB does not work well with less than about 125 MB a thread.
      memoryLimitBytes: Math.max(128 * mebibyte, memoryLimitBytes * 0.35),
      threads: memoryLimitBytes >= 1024 * mebibyte ? 2 : 1,
    },
  }
}
