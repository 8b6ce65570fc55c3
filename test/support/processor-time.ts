/**
 * What work costs, for limits that hold also on a machine that has others to serve meanwhile.
 * @returns milliseconds of processor time of this thread since this was called
 */
export function processorTime(): () => number {
  const start = process.threadCpuUsage()
  return () => {
    const { user, system } = process.threadCpuUsage(start)
    return (user + system) / 1_000
  }
}
