import { expect, test } from 'vitest'
import { seriesKey } from '../line-protocol/series-key.ts'
import { Catalog } from './catalog.ts'

/** Promise: what was dropped is gone for everybody, its ids and numbers are never anybody else's, and dictionaries of an earlier time still say what was there then. */

const key = (tag: string) => seriesKey('m', [['t', tag]])
const isIn = (ids: readonly number[]) => (id: number) => ids.includes(id)

function catalogOf(): Catalog {
  const catalog = new Catalog()
  for (const tag of ['a', 'b']) catalog.addSeries(key(tag))
  catalog.addSeries(seriesKey('n', [['u', 'x']]))
  catalog.addField('m', 'v', 'float')
  catalog.addField('n', 'v', 'integer')
  return catalog
}

/** As the dictionaries up to a position would give it to the next start. */
function reopened(catalog: Catalog, position: number): Catalog {
  const next = new Catalog()
  for (const each of catalog.seriesKeys(0, catalog.seriesCount, position)) next.addSeries(each)
  for (const field of catalog.fieldList(0, catalog.fieldCount, position)) next.addField(...field)
  return next
}

test('a dropped series comes again as a new one; the measurement keeps its fields', () => {
  const catalog = catalogOf()
  catalog.dropSeries('m', isIn([0]), 5)
  expect([...catalog.series('m')].map(({ id }) => id)).toEqual([1])
  expect(catalog.seriesId(key('a'))).toBeUndefined()
  expect([catalog.liveSeriesCount, catalog.seriesCount]).toEqual([2, 3])
  expect(catalog.addSeries(key('a'))).toBe(3)
  expect(catalog.schema('m')).toEqual({ name: 'm', tagKeys: ['t'], fields: new Map([['v', 'float']]) })
})

test('series that were asked for before do not hide one that went and one that came', () => {
  const catalog = catalogOf()
  const tags = () => [...catalog.series('m')].map((series) => series.tags.get('t'))
  expect(tags()).toEqual(['a', 'b'])
  catalog.addSeries(key('c'))
  expect(tags()).toEqual(['a', 'b', 'c'])
  catalog.dropSeries('m', isIn([0]), 5)
  catalog.addSeries(key('d'))
  expect(tags()).toEqual(['b', 'c', 'd'])
})

test('a measurement without series has no fields, and its next fields have other numbers', () => {
  const catalog = catalogOf()
  catalog.dropSeries('m', () => true, 5)
  expect([catalog.schema('m'), catalog.schema('n')?.name]).toEqual([null, 'n'])
  catalog.addSeries(key('a'))
  expect(catalog.addField('m', 'v', 'string')).toMatchObject({ number: 1, place: 2, type: 'string' })
  catalog.dropSeries(null, () => true, 6)
  expect(catalog.liveSeries(null)).toEqual([])
  expect(catalog.addField('m', 'w', 'float').number).toBe(2)
})

test.each([
  [[3], ['t']],
  [
    [0, 1],
    ['t', 'z'],
  ],
  [[1, 3], ['t']],
])('a tag key goes with the last series that has it: %j', (dropped, left) => {
  const catalog = catalogOf()
  catalog.addSeries(
    seriesKey('m', [
      ['t', 'a'],
      ['z', '1'],
    ]),
  )
  expect(catalog.schema('m')!.tagKeys).toEqual(['t', 'z'])
  catalog.dropSeries('m', isIn(dropped), 5)
  expect(catalog.schema('m')!.tagKeys).toEqual(left)
})

test('dictionaries say what was there at their position, also after what was dropped is settled', () => {
  const catalog = catalogOf()
  catalog.dropSeries('m', isIn([0]), 5)
  catalog.dropSeries('n', () => true, 8)
  expect(reopened(catalog, 4).liveSeriesCount).toBe(3)
  expect(reopened(catalog, 5).liveSeries(null)).toEqual([1, 2])
  expect(reopened(catalog, 7).schema('n')?.fields.get('v')).toBe('integer')
  expect(reopened(catalog, 8).schema('n')).toBeNull()
  expect(catalog.hasDropped([0, 1], [0, 0], 4)).toBe(false)
  expect(catalog.hasDropped([0, 1], [0, 0], 5)).toBe(true)
  expect(catalog.hasDropped([1, 3], [0, 1], 7)).toBe(false)
  expect(catalog.hasDropped([3, 3], [1, 2], 8)).toBe(true)
  catalog.settle(5)
  expect(catalog.hasDropped([0, 3], [0, 2], 5)).toBe(false)
  expect(reopened(catalog, 5).liveSeries(null)).toEqual([1, 2])
  catalog.settle(8)
  const again = reopened(catalog, 8)
  expect([again.liveSeriesCount, again.seriesCount, again.fieldCount]).toEqual([1, 3, 2])
  expect(again.addField('n', 'v', 'float').number).toBe(1)
})

test('of series that go and come while they are gone through, none is made of nothing and none is new', () => {
  const catalog = new Catalog()
  const count = 10_002
  for (let n = 0; n < count; n++) catalog.addSeries(key(`${n}`))
  const ids: number[] = []
  for (const { id, tags } of catalog.series('m')) {
    expect(tags.get('t')).toBe(`${id}`)
    ids.push(id)
    if (id !== 5) continue
    catalog.dropSeries('m', (each) => each > 7 && each < count - 1, 5)
    catalog.settle(5)
    catalog.addSeries(key('new'))
  }
  expect(ids).toEqual([0, 1, 2, 3, 4, 5, 6, 7, count - 1])
})
