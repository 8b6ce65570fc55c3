import { raw, arithmetic } from './select.ts'
import { aggregates, transformations } from './functions.ts'
import { windows, zones, times } from './windows.ts'
import { subqueries, shows } from './subqueries.ts'
import { syntax, statements, documents, commands } from './syntax.ts'
import { expressions } from './expressions.ts'
import { nested } from './nested.ts'
import { windowed } from './windowed.ts'
import { catalogue } from './catalogue.ts'
import type { RecordedRequest } from './request.ts'

/** By the name of the file in which their answers stand. */
export const recordedRequests: Readonly<Record<string, readonly RecordedRequest[]>> = {
  raw,
  arithmetic,
  aggregates,
  windows,
  zones,
  times,
  transformations,
  subqueries,
  shows,
  syntax,
  statements,
  documents,
  commands,
  expressions,
  nested,
  windowed,
  catalogue,
}
