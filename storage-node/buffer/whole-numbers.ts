import type { FieldValues } from '../line-protocol/batch.ts'

/** Whole numbers in fewer bytes than their type has. */
export type WholeNumbers = Int8Array | Int16Array | Int32Array

export type Numbers = Extract<FieldValues, { type: 'float' | 'integer' | 'unsigned' }>

/**
 * The same numbers in one, two or four bytes each, whichever is enough for all.
 * @returns null where one is not whole, too large, or minus zero
 */
export function narrowed(numbers: Numbers): WholeNumbers | null {
  const whole = numbers.type === 'float' ? wholeFloats(numbers.values) : wholeIntegers(numbers.values)
  if (!whole) return null
  let low = 0
  let high = 0
  for (const value of whole) {
    if (value < low) low = value
    else if (value > high) high = value
  }
  if (low >= -128 && high <= 127) return new Int8Array(whole)
  return low >= -32_768 && high <= 32_767 ? new Int16Array(whole) : whole
}

function wholeFloats(values: Float64Array): Int32Array | null {
  const whole = new Int32Array(values.length)
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!
    const integer = value | 0
    if (integer !== value || (integer === 0 && 1 / value < 0)) return null
    whole[index] = integer
  }
  return whole
}

/** By halves, without a bigint for each. Little-endian, as every platform of Node. */
function wholeIntegers(values: BigInt64Array | BigUint64Array): Int32Array | null {
  const halves = new Int32Array(values.buffer, values.byteOffset, values.length * 2)
  const whole = new Int32Array(values.length)
  const isSigned = values instanceof BigInt64Array
  for (let index = 0; index < whole.length; index++) {
    const low = halves[2 * index]!
    if (halves[2 * index + 1] !== low >> 31 || (!isSigned && low < 0)) return null
    whole[index] = low
  }
  return whole
}

/** The numbers in their own type again. */
export function widened(type: Numbers['type'], whole: WholeNumbers): Numbers {
  if (type === 'float') return { type, values: new Float64Array(whole) }
  const halves = new Int32Array(whole.length * 2)
  for (let index = 0; index < whole.length; index++) {
    halves[2 * index] = whole[index]!
    halves[2 * index + 1] = whole[index]! >> 31
  }
  return type === 'integer'
    ? { type, values: new BigInt64Array(halves.buffer) }
    : { type, values: new BigUint64Array(halves.buffer) }
}
