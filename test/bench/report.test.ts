import { expect, test } from 'vitest'
import { quantile, spreadOf } from './figures.ts'
import { markdown, ratio, type Table } from './report.ts'

// Promise: above ×1 is better for us whatever is measured, and what failed gets no ratio.

const figure = (value: number | null) => ({ value, text: String(value) })

test.each([
  ['more', 200, 100, '×2.00'],
  ['less', 200, 100, '×0.50'],
  ['more', null, 100, ''],
  ['less', 200, null, ''],
] as const)('a ratio where %s is better, %s against %s', (better, ours, peer, expected) => {
  expect(ratio(figure(ours), figure(peer), better)).toBe(expected)
})

test('a table has a column for each server and each ratio', () => {
  const table: Table = {
    title: 'Ingest',
    notes: [],
    unit: 'rows/s',
    better: 'more',
    lines: [{ what: '1 writer', figures: { holdfast: figure(300), influxdb: figure(100) } }],
  }
  const kinds = [
    { name: 'holdfast', title: 'Holdfast' },
    { name: 'influxdb', title: 'InfluxDB' },
  ] as const
  expect(markdown(table, kinds).split('\n').slice(2, 5)).toEqual([
    '| rows/s | Holdfast | InfluxDB | against InfluxDB |',
    '| --- | --- | --- | --- |',
    '| 1 writer | 300 | 100 | ×3.00 |',
  ])
})

test('median, least, most and the rank of a quantile', () => {
  expect(spreadOf([5, 1, 9])).toEqual({ median: 5, min: 1, max: 9 })
  expect(
    quantile(
      Array.from({ length: 200 }, (_, index) => index),
      0.99,
    ),
  ).toBe(198)
})
