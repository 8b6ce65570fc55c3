/** Runs `work` on all items, `limit` at a time, and keeps their order. The first failure is thrown when all are done. */
export async function eachLimited<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: PromiseSettledResult<Result>[] = []
  for (let start = 0; start < items.length; start += limit) {
    results.push(...(await Promise.allSettled(items.slice(start, start + limit).map(work))))
  }
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}
