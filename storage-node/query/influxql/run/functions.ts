import type { Call, DataType } from '../ast.ts'
import { statementError } from '../condition.ts'
import * as reducers from './reducers.ts'
import type { Reducer } from './reducers.ts'

/** A function over the points of a window, for points of one type. */
export interface WindowFunction {
  readonly type: DataType
  readonly create: () => Reducer
}

const numbers: readonly DataType[] = ['float', 'integer', 'unsigned']
const numbersAndBooleans: readonly DataType[] = [...numbers, 'boolean']
const anything: readonly DataType[] = [...numbersAndBooleans, 'string']

/** @throws AppError invalid, when a function does not take points of the type */
export function checkType(name: string, type: DataType, taken: readonly DataType[]): void {
  if (!taken.includes(type)) {
    throw statementError(`unsupported ${name} iterator type: *query.${type}InterruptIterator`)
  }
}

export const takesNumbers = (name: string, type: DataType): void => checkType(name, type, numbers)

/** @throws AppError invalid, when the function does not take points of the type */
export function windowFunction(call: Call, type: DataType): WindowFunction {
  const { name } = call
  switch (name) {
    case 'count':
      return { type: 'integer', create: reducers.count }
    case 'sum':
      takesNumbers(name, type)
      return { type, create: () => reducers.sum(type) }
    case 'mean':
      takesNumbers(name, type)
      return { type: 'float', create: () => reducers.mean(type) }
    case 'min':
    case 'max':
      checkType(name, type, numbersAndBooleans)
      return { type, create: name === 'min' ? reducers.min : reducers.max }
    case 'first':
    case 'last':
      checkType(name, type, anything)
      return { type, create: name === 'first' ? reducers.first : reducers.last }
    case 'distinct':
      return { type, create: reducers.distinct }
    case 'spread':
      takesNumbers(name, type)
      return { type, create: () => reducers.spread(type) }
    case 'mode':
      return { type, create: () => reducers.mode(type) }
    case 'median':
    case 'stddev':
      takesNumbers(name, type)
      return { type: 'float', create: name === 'median' ? reducers.median : reducers.stddev }
    case 'percentile': {
      takesNumbers(name, type)
      const rank = numberOf(call, 1)
      return { type, create: () => reducers.percentile(rank) }
    }
    case 'top':
    case 'bottom': {
      takesNumbers(name, type)
      const size = numberOf(call, call.args.length - 1)
      return { type, create: () => (name === 'top' ? reducers.top(size) : reducers.bottom(size)) }
    }
    case 'sample': {
      const size = numberOf(call, 1)
      return { type, create: () => reducers.sample(size, Math.random) }
    }
    default:
      throw statementError(`undefined function ${name}()`)
  }
}

/** A literal number among a call's arguments. */
export function numberOf(call: Call, index: number): number {
  const arg = call.args[index]
  return arg?.kind === 'number' || arg?.kind === 'integer' ? Number(arg.value) : 0
}
