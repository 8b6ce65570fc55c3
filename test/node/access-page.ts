/** One row of the matrix: each method with each path and each statement of it. */
export interface AccessRow {
  readonly methods: readonly string[]
  readonly paths: readonly string[]
  /** Empty where the path takes none. */
  readonly statements: readonly string[]
  /** By column: a status, or `status/reason`. */
  readonly cells: Readonly<Record<string, string>>
}

/** What becomes of a credential that lets nobody in. */
export interface Denial {
  /** In the log of a node. */
  readonly reason: string
  readonly answeredBy: 'gateway' | 'node'
}

export interface AccessPage {
  /** null for a column whose credential is in force. */
  readonly columns: ReadonlyMap<string, Denial | null>
  readonly rows: readonly AccessRow[]
}

/** Reads `docs/reference/access.md`. @throws Error where it is not of the form that it has */
export function parseAccessPage(text: string): AccessPage {
  const tables = tablesOf(text)
  const find = (first: string): Table => {
    const found = tables.find(([heads]) => heads?.[0] === first)
    if (!found) throw new Error(`no table begins with the column "${first}"`)
    return found
  }
  const [, ...credentials] = find('column')
  const [[, , , ...names] = [], ...rows] = find('methods')
  return {
    columns: new Map(
      credentials.map(([name = '', , reason = '', answers]) => [
        name,
        reason === ''
          ? null
          : { reason: coded(reason)[0]!, answeredBy: answers === 'by itself' ? 'gateway' : 'node' },
      ]),
    ),
    rows: rows.map(([methods = '', paths = '', statements = '', ...cells]) => ({
      methods: coded(methods),
      paths: coded(paths),
      statements: coded(statements),
      cells: Object.fromEntries(names.map((name, index) => [name, cells[index] ?? ''])),
    })),
  }
}

/** Rows of trimmed cells, without the line below the heads. */
type Table = readonly (readonly string[])[]

function tablesOf(text: string): readonly Table[] {
  return text.split('\n\n').flatMap((block) => {
    const lines = block.trim().split('\n')
    if (!lines.every((line) => line.startsWith('|') && line.endsWith('|'))) return []
    const rows = lines.map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
    return [rows.filter((_, index) => index !== 1)]
  })
}

const coded = (cell: string): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)
