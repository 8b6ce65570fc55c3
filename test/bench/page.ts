/**
 * docs/benchmarks.md is written by two runs, and each leaves the other's part as it is: the storage node's comes first,
 * the operator's is from its heading to the end.
 */
const operatorHeading = '\n## Control plane\n'

/** @param page as it is; empty for none */
export function withStorageNode(page: string, written: string): string {
  const at = page.indexOf(operatorHeading)
  return at < 0 ? written : `${written.trimEnd()}\n${page.slice(at)}`
}

/** @param written opens with its heading */
export function withOperator(page: string, written: string): string {
  const at = page.indexOf(operatorHeading)
  const before = at < 0 ? page : page.slice(0, at + 1)
  return `${(before === '' ? '# Benchmarks\n' : before).trimEnd()}\n\n${written}`
}
