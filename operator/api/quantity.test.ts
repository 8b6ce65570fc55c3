import { describe, expect, test } from 'vitest'
import { canonicalQuantity, compareQuantities, thousandths, timesQuantity } from './quantity.ts'

// Quantities compare by what they amount to, and are spelled as the API server spells them, or every pass would see a
// difference that is none.

describe('canonicalQuantity', () => {
  test.each([
    ['10Gi', '10Gi'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['1000Mi', '1000Mi'],
    ['1536Mi', '1536Mi'],
    ['1048576Ki', '1Gi'],
    ['0.5', '500m'],
    ['500m', '500m'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['2', '2'],
    ['1000', '1k'],
    ['1000M', '1G'],
    ['1.25k', '1250'],
    ['0', '0'],
    ['0Gi', '0'],
  ])('%s is stored as %s', (text, stored) => expect(canonicalQuantity(text)).toBe(stored))
})

describe('comparing', () => {
  test.each([
    ['1Gi', '1024Mi', 0],
    ['1Gi', '1G', 1],
    ['999Mi', '1Gi', -1],
    ['0.1', '100m', 0],
    ['999999999999999Pi', '1', 1],
  ])('%s and %s: %d', (a, b, sign) => expect(compareQuantities(a, b)).toBe(sign))

  test.each(['', '1e3', '-1', 'Gi', '1 Gi', '1GiB', '1.2345Gi'])('"%s" is none', (text) =>
    expect(() => thousandths(text)).toThrow('is not a quantity'),
  )
})

test.each([
  ['10Gi', 3, '30Gi'],
  ['512Mi', 2, '1Gi'],
  ['1.5Gi', 3, '4608Mi'],
  ['100m', 3, '300m'],
])('%s times %d is %s', (text, factor, product) => expect(timesQuantity(text, factor)).toBe(product))
