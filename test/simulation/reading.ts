import { unreachable } from '../../common/errors.ts'
import type { Engine } from '../../storage-node/engine/engine.ts'
import type { Column, Series } from '../../storage-node/engine/reader.ts'
import { faultOf, pointKey, type Model, type Place } from './model.ts'
import { databases, measurements, policies } from './rules.ts'

/** What the engine serves, against what it must. */
type Given = Map<string, Map<string, string>>

export const places: readonly Place[] = databases.flatMap(({ id }) =>
  policies.flatMap(({ name }) =>
    measurements.map((measurement) => ({ databaseId: id, retentionPolicy: name, measurement })),
  ),
)

/** @throws Error if a read that begins now gives anything but what is there now */
export async function checkPlace(engine: Engine, model: Model, place: Place, nowNs: bigint): Promise<void> {
  // A read gives what was there when it began.
  const expected = model.expected(place, nowNs)
  const fault = faultOf(expected, await readPlace(engine, place))
  if (fault) throw new Error(`${place.databaseId} ${place.retentionPolicy} ${place.measurement}: ${fault}`)
}

async function readPlace(engine: Engine, place: Place): Promise<Given> {
  const { databaseId, measurement } = place
  const series = new Map(
    [...engine.series(databaseId, measurement)].map((each) => [each.id, seriesText(each)]),
  )
  const schema = engine.measurements(databaseId).find(({ name }) => name === measurement)
  const fields = [...(schema?.fields.keys() ?? [])]
  const given: Given = new Map()
  const blocks = engine.read({
    ...place,
    seriesIds: [...series.keys()],
    fields,
    minTimeNs: -(2n ** 63n),
    maxTimeNs: 2n ** 63n - 1n,
    signal: new AbortController().signal,
  })
  for await (const { seriesId, times, columns } of blocks) {
    for (const [row, timeNs] of times.entries()) {
      const key = pointKey(series.get(seriesId)!, timeNs)
      if (given.has(key)) throw new Error(`${key} is there twice`)
      const cells = columns.flatMap((column, at) => {
        const text = textOf(column, row)
        return text === null ? [] : [[fields[at]!, text] as const]
      })
      given.set(key, new Map(cells))
    }
  }
  return given
}

export const seriesText = ({ tags }: Series): string =>
  [...tags].map(([key, value]) => `${key}=${value}`).join()

function textOf(column: Column | null, row: number): string | null {
  if (column === null || column.present?.[row] === 0) return null
  switch (column.type) {
    case 'integer':
      return `${column.values[row]}i`
    case 'unsigned':
      return `${column.values[row]}u`
    case 'boolean':
      return String(column.values[row] === 1)
    case 'string':
      return JSON.stringify(column.values[row])
    case 'float':
      return String(column.values[row])
    default:
      return unreachable(column)
  }
}

/** @throws Error if series or fields are not those that the points brought */
export function checkCatalog(engine: Engine, model: Model, nowNs: bigint): void {
  for (const place of places) {
    const { databaseId, measurement } = place
    const isThere = [...model.expected(place, nowNs).values()].some((cells) =>
      [...cells.values()].some(({ mayBeGone }) => !mayBeGone),
    )
    if (!isThere) continue
    const database = model.database(databaseId)!
    const schema = engine.measurements(databaseId).find(({ name }) => name === measurement)
    const fields = [...(schema?.fields ?? [])].map(([name, type]) => `${name} ${type}`)
    const series = [...engine.series(databaseId, measurement)].map(seriesText)
    const known = database.fields.get(measurement)!
    same(
      `fields of ${databaseId} ${measurement}`,
      fields,
      [...known].map(([name, type]) => `${name} ${type}`),
    )
    same(`series of ${databaseId} ${measurement}`, series, [...database.series.get(measurement)!.keys()])
    if (!engine.databasesWithData().includes(databaseId)) throw new Error(`${databaseId} is said to be empty`)
  }
}

function same(what: string, given: readonly string[], expected: readonly string[]): void {
  const [a, b] = [given, expected].map((list) => [...list].sort().join())
  if (a !== b) throw new Error(`${what} are ${a}, expected ${b}`)
}
