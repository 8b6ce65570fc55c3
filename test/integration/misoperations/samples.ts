import { sample, stringMatching } from 'fast-check'
import { unreachable } from '../../../common/errors.ts'
import type { StructuralSchema } from '../../../operator/api/structural.ts'

export type Json = Readonly<Record<string, unknown>>

/** Texts of every shape that the kinds know; what fits none of their patterns is made from the pattern itself. */
const wellKnown = [
  'a',
  '1h',
  '10Gi',
  '10.1.0.0/16',
  '0 3 * * *',
  'https://id.example.com',
  '2026-01-01T00:00:00Z',
  '0123456789abcdef',
  'a'.repeat(64),
]
const triesOfPattern = 200

/** Whether a text is what the schema of its field alone accepts. */
export function fits(schema: StructuralSchema, text: string): boolean {
  const length = Array.from(text).length
  if (length < (schema.minLength ?? 0) || length > (schema.maxLength ?? Number.POSITIVE_INFINITY))
    return false
  if (schema.enum && !schema.enum.includes(text)) return false
  if (schema.format === 'date-time' && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text)) return false
  return schema.pattern === undefined || new RegExp(schema.pattern, 'u').test(text)
}

/**
 * A value that the schema alone accepts; rules between fields may not.
 * @throws Error naming the pattern for which no text was found
 */
export function sampleOf(schema: StructuralSchema): unknown {
  if (schema.default !== undefined) return schema.default
  if (schema.enum) return schema.enum[0]
  switch (schema.type) {
    case 'object': {
      const required = schema.required ?? []
      return Object.fromEntries(required.map((key) => [key, sampleOf(schema.properties![key]!)]))
    }
    case 'array':
      return Array.from({ length: schema.minItems ?? 0 }, () => sampleOf(schema.items!))
    case 'integer':
      return schema.minimum ?? 1
    case 'boolean':
      return true
    case 'string':
      return textOf(schema)
    default:
      return unreachable(schema.type)
  }
}

function textOf(schema: StructuralSchema): string {
  const known = wellKnown.find((text) => fits(schema, text))
  if (known !== undefined) return known
  const made = sample(stringMatching(new RegExp(schema.pattern ?? '.', 'u')), {
    numRuns: triesOfPattern,
    seed: 1,
  })
  const found = made.find((text) => fits(schema, text))
  if (found === undefined) throw new Error(`no text fits ${JSON.stringify(schema)}`)
  return found
}

const isMap = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** In place of a value: the field is not there. */
export const removed = Symbol('removed')

/** What a spec has at a place, undefined for nothing; of a list, in the element that has it. */
export function valueAt(spec: unknown, [step, ...rest]: readonly string[]): unknown {
  if (step === undefined) return spec
  if (step === '[]') return Array.isArray(spec) ? valueAt(spec[elementWith(spec, rest)], rest) : undefined
  if (!isMap(spec)) return undefined
  return valueAt(step === '{}' ? Object.values(spec)[0] : spec[step], rest)
}

/**
 * The spec with another value at a place. What is not there on the way is made as its schema accepts it.
 * @param value `removed` for none
 */
export function withValue(
  schema: StructuralSchema,
  spec: unknown,
  [step, ...rest]: readonly string[],
  value: unknown,
): unknown {
  if (step === undefined) return value
  if (step === '[]') {
    const given: readonly unknown[] = Array.isArray(spec) ? spec : []
    const found = elementWith(given, rest)
    const list = found < 0 ? [...given, sampleOf(schema.items!)] : given
    const at = found < 0 ? given.length : found
    const next = withValue(schema.items!, list[at], rest, value)
    return list.flatMap((item, index) => (index !== at ? [item] : next === removed ? [] : [next]))
  }
  const map = isMap(spec) ? spec : (sampleOf(schema) as Json)
  const key = step === '{}' ? (Object.keys(map)[0] ?? 'a') : step
  const child = step === '{}' ? schema.additionalProperties! : schema.properties![key]!
  const next = withValue(child, map[key], rest, value)
  const { [key]: _before, ...others } = map
  return next === removed ? others : { ...map, [key]: next }
}

/** The element of a list that has the next step, -1 for none: then a new one takes it. */
function elementWith(list: readonly unknown[], [step]: readonly string[]): number {
  if (step === undefined || step === '[]' || step === '{}') return list.length > 0 ? 0 : -1
  return list.findIndex((item) => isMap(item) && item[step] !== undefined)
}
