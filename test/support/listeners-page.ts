import { readFileSync } from 'node:fs'
import { compareText } from '../../operator/compare-text.ts'

/** A port that a program of ours listens on, as docs/reference/listeners.md has it. */
export interface ListenerRow {
  readonly name: string
  /** Of its pods, `app.kubernetes.io/component`; null for a program that runs without a cluster. */
  readonly component: string | null
  /** In a pod; null without one. */
  readonly port: number | null
  readonly open: 'always' | 'while it leads' | 'where asked for'
  /** `TLS`, `HTTP` or `TCP`: how a connection begins. */
  readonly speaks: 'TLS' | 'HTTP' | 'TCP'
  /** The file that makes it, and its name in there: `gateway/gateway.ts: clients`. */
  readonly madeIn: string
  /** What each identity opens there, by the name of its column. */
  readonly opens: ReadonlyMap<string, string>
}

export const listenersPage = 'docs/reference/listeners.md'

/** The rows of the page's two tables, joined by the listener's name. @throws Error where they do not name the same */
export function listenerRows(text = readFileSync(listenersPage, 'utf8')): readonly ListenerRow[] {
  const opens = new Map(
    tableOf(text, 'What each identity opens').map((row) => [row.get('listener') ?? '', row]),
  )
  const ports = tableOf(text, 'Ports')
  const names = ports.map((row) => row.get('listener') ?? '')
  if (names.toSorted(compareText).join('|') !== [...opens.keys()].toSorted(compareText).join('|'))
    throw new Error(`${listenersPage}: the two tables do not have the same listeners, each once`)
  return ports.map((row) => {
    const cell = (column: string): string => row.get(column) ?? ''
    const port = cell('port')
    const { listener: name, ...cells } = Object.fromEntries(opens.get(cell('listener'))!)
    return {
      name: name!,
      component: cell('pod') === 'none' ? null : cell('pod'),
      port: /^\d+$/.test(port) ? Number(port) : null,
      open: cell('open') as ListenerRow['open'],
      speaks: cell('speaks') as ListenerRow['speaks'],
      madeIn: cell('made in'),
      opens: new Map(Object.entries(cells)),
    }
  })
}

/** The first table below a heading: each row by the names of its columns, without the marks of code. */
function tableOf(text: string, heading: string): readonly ReadonlyMap<string, string>[] {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  const lines = section.split('\n').filter((line) => line.startsWith('|'))
  const [head = [], , ...rows] = lines.map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.replaceAll('`', '').trim()),
  )
  if (rows.length === 0) throw new Error(`${listenersPage}: no table below ${heading}`)
  return rows.map((cells) => new Map(head.map((column, index) => [column, cells[index] ?? ''])))
}
