/**
 * Goes through a list with so many workers at a time, each with one item after the other.
 * @param work gets the worker's number, from 0
 */
export async function shareOf<Item>(
  items: readonly Item[],
  workers: number,
  work: (item: Item, worker: number) => Promise<void>,
): Promise<void> {
  const left = items.values()
  await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      for (const item of left) await work(item, worker)
    }),
  )
}
