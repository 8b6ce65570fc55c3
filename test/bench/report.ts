import { short, spreadOf, withRange } from './figures.ts'
import type { ServerKind, ServerName } from './server.ts'

/** One line of a table: a figure for each server that has one, in the table's unit. */
export interface Line {
  readonly what: string
  readonly figures: Readonly<Partial<Record<ServerName, Figure>>>
}

export interface Figure {
  /** The number that ratios are made of; null for a text that is none. */
  readonly value: number | null
  readonly text: string
}

export interface Table {
  readonly title: string
  readonly notes: readonly string[]
  readonly unit: string
  /** Whether more is better, which decides what a ratio divides by. */
  readonly better: 'more' | 'less'
  readonly lines: readonly Line[]
}

/** A line of the medians, with least and most in their texts. */
export function spreadLine(what: string, numbers: ReadonlyMap<ServerName, readonly number[]>): Line {
  const figures = [...numbers].map(([name, list]): [ServerName, Figure] => {
    const spread = spreadOf(list)
    return [name, { value: spread.median, text: withRange(spread) }]
  })
  return { what, figures: Object.fromEntries(figures) }
}

/** Ours against a peer, such that above 1 is always better for us. */
export function ratio(ours: Figure | undefined, peer: Figure | undefined, better: Table['better']): string {
  if (ours?.value == null || peer?.value == null) return ''
  return `×${short(better === 'more' ? ours.value / peer.value : peer.value / ours.value)}`
}

/** A table in Markdown; the columns are the servers, then ours against each peer. */
export function markdown(table: Table, kinds: readonly Pick<ServerKind, 'name' | 'title'>[]): string {
  const peers = kinds.filter(({ name }) => name !== 'holdfast')
  const head = [
    table.unit,
    ...kinds.map(({ title }) => title),
    ...peers.map(({ title }) => `against ${title}`),
  ]
  const rows = table.lines.map(({ what, figures }) => [
    what,
    ...kinds.map(({ name }) => figures[name]?.text ?? ''),
    ...peers.map(({ name }) => ratio(figures.holdfast, figures[name], table.better)),
  ])
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  return [`## ${table.title}`, '', ...table.notes.flatMap((note) => [note, '']), ...lines, ''].join('\n')
}
