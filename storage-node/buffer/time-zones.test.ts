import { expect, test } from 'vitest'
import { parseLines } from '../line-protocol/parse.ts'
import { TableBuffer } from './table-buffer.ts'
import { zonesWithin } from './time-zones.ts'

/** Promise: no row in a range of times lies outside the zones named, also while the buffer grows. */

function append(table: TableBuffer, times: readonly number[]): void {
  const [batch] = parseLines(Buffer.from(times.map((time) => `m v=1 ${time}`).join('\n')), 'ns', 0n).tables
  table.append(batch!, Uint32Array.of(0), [0], null)
}

test('zones hold all rows of a range', () => {
  const table = new TableBuffer()
  expect(zonesWithin(table, 0n, 10n)).toEqual([])
  const times: number[] = []
  for (let round = 0; round < 5; round++) {
    const more = Array.from({ length: 2_500 }, (_, k) => round * 2_000 + ((k * 7) % 2_500))
    times.push(...more)
    append(table, more)
    for (const [min, max] of [
      [0, 100],
      [4_000, 4_001],
      [11_000, 20_000],
    ] as const) {
      const zones = zonesWithin(table, BigInt(min), BigInt(max))
      const inside = times.flatMap((time, row) => (time >= min && time <= max ? [row] : []))
      expect(inside.filter((row) => !zones.some(({ from, end }) => row >= from && row < end))).toEqual([])
      for (const { from, end, minTimeNs, maxTimeNs } of zones) {
        const zone = times.slice(from, end)
        expect([minTimeNs, maxTimeNs]).toEqual([BigInt(Math.min(...zone)), BigInt(Math.max(...zone))])
      }
    }
  }
  expect(zonesWithin(table, 0n, 0n)).toHaveLength(1)
})
