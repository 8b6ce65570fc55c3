import { errorOf } from './answers.ts'
import { queryTypes, questionsOf } from './queries.ts'
import { ask } from './query-bench.ts'
import type { Server } from './server.ts'

export const longTypes = ['double-groupby-all', 'high-cpu-all']

export interface Asked {
  answered: number
  failed: number
  /** What the failed ones were told, each text once. */
  readonly errors: ReadonlySet<string>
}

/** Asks long queries without a pause while something else is done; the last of them are waited for. */
export async function withLongQueries<T>(
  server: Server,
  clients: number,
  use: (asked: Asked) => Promise<T>,
): Promise<T> {
  const questions = queryTypes
    .filter((type) => longTypes.includes(type.name))
    .flatMap((type) => questionsOf(type, Math.max(1, clients)))
  const errors = new Set<string>()
  const asked: Asked = { answered: 0, failed: 0, errors }
  let next = 0
  const over = new AbortController()
  const client = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const answer = await ask(server, questions[next++ % questions.length]!).catch(String)
      const error = errorOf(answer)
      if (error === null) asked.answered++
      else {
        asked.failed++
        errors.add(error)
      }
    }
  }
  const asking = Array.from({ length: clients }, client)
  try {
    return await use(asked)
  } finally {
    over.abort()
    await Promise.all(asking)
  }
}
