import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pack, viewOf, type Block } from './block.ts'
import { tries } from '../../test/support/tries.ts'

// Attacks the promise that a block gives back what went into it, to the last bit, in however few bytes it is kept.

const view = (block: Block, from: number, end: number) =>
  viewOf(block, from, end, () => new Float64Array(end - from + 1))

describe('floats', () => {
  test('come back as they were', () => {
    const whole = (least: number, most: number) => fc.integer({ min: least, max: most })
    const kind = fc.constantFrom(
      whole(-128, 127),
      whole(-32_768, 32_767),
      whole(-2_147_483_648, 2_147_483_647),
      fc.double(),
      fc.constantFrom(0, -0, 0.5, 128, -129, 32_768, 2_147_483_648),
    )
    fc.assert(
      fc.property(
        kind.chain((value) => fc.array(value, { minLength: 1 })),
        (values) => {
          const block = pack({ type: 'float', values: Float64Array.from(values), present: null })
          expect(view(block, 0, values.length)).toEqual({
            type: 'float',
            values: Float64Array.from(values),
            present: null,
          })
        },
      ),
      tries(),
    )
  })

  test.each([
    [[-128, 127], 1],
    [[-128, 128], 2],
    [[-32_769], 4],
    [[2_147_483_648], 8],
    [[0.5], 8],
    [[-0], 8],
  ])('%j take %d bytes each', (values, bytes) => {
    const block = pack({ type: 'float', values: Float64Array.from(values), present: null })
    expect(block.column?.type === 'float' && block.column.values.BYTES_PER_ELEMENT).toBe(bytes)
  })
})

test('rows without a value stay so, and a part in which nobody has one is nothing', () => {
  const block = pack({
    type: 'integer',
    values: BigInt64Array.of(1n, 2n, 3n),
    present: Uint8Array.of(1, 0, 1),
  })
  expect(view(block, 1, 2)).toBeNull()
  expect(view(block, 2, 3)).toEqual({ type: 'integer', values: BigInt64Array.of(3n), present: null })
  expect(view(block, 0, 2)?.present).toEqual(Uint8Array.of(1, 0))
})
