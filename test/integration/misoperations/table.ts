import type { Answered, Outcome } from './trials.ts'

const columns = ['kind', 'fields', 'edits', 'refused', 'no change', 'accepted', 'tried', 'faults'] as const

/** What became of all edits: a line a kind, and how those that were tried out ended. */
export function tableOf(answers: readonly Answered[], outcomes: readonly Outcome[]): string {
  const kinds = [...new Set(answers.map(({ edit }) => edit.kind))]
  const rows = kinds.map((kind) => {
    const all = answers.filter(({ edit }) => edit.kind === kind)
    const tried = outcomes.filter(({ answered }) => answered.edit.kind === kind)
    return [
      kind,
      new Set(all.map(({ edit }) => edit.field)).size,
      all.length,
      all.filter(({ refusal }) => refusal !== null).length,
      all.filter(({ isSame }) => isSame).length,
      all.filter(({ refusal, isSame }) => refusal === null && !isSame).length,
      tried.length,
      tried.reduce((sum, { faults }) => sum + faults.length, 0),
    ]
  })
  const ends = new Map<string, number>()
  for (const { answered, end } of outcomes) {
    const key = `${answered.edit.kind} ${answered.by === 'creation' ? 'made' : 'changed'}: ${end}`
    ends.set(key, (ends.get(key) ?? 0) + 1)
  }
  const lines = [...ends].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([end, count]) => [end, count])
  return `${aligned([[...columns], ...rows])}\n\n${aligned([['end', 'edits'], ...lines])}`
}

function aligned(rows: readonly (readonly (string | number)[])[]): string {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => String(row[at]).length)))
  return rows
    .map((row) =>
      row
        .map((cell, at) =>
          typeof cell === 'number' ? String(cell).padStart(widths[at]!) : cell.padEnd(widths[at]!),
        )
        .join('  '),
    )
    .join('\n')
}
