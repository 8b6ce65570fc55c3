import { unreachable } from '../../../common/errors.ts'
import type { StructuralSchema } from '../../../operator/api/structural.ts'
import { fits, removed, sampleOf, valueAt, withValue, type Json } from './samples.ts'
import type { Field, KindName } from './schema-fields.ts'

/** One misoperation: a spec that differs in one place from one that is well. */
export interface Edit {
  readonly kind: KindName
  readonly field: string
  /** The value, in short. */
  readonly what: string
  readonly spec: unknown
}

const hugeText = 'x'.repeat(100_000)
const texts = [
  '',
  ' ',
  '-',
  ' a',
  'a\n',
  'A',
  '*',
  '../../etc/passwd',
  '$(HOME)',
  'Größe-日本',
  'no-such-thing',
  hugeText,
]
const addresses = ['0.0.0.0/0', '::/0', '10.0.0.0/33', '10.1.2.3', '999.1.1.1/8', '10.1.0.0/16']
const quantities = [
  '0',
  '1',
  '-1Gi',
  '1e9',
  '10gi',
  '10 Gi',
  '1.5Gi',
  '100Mi',
  '1024Mi',
  '1Pi',
  '2Pi',
  '999999999999999P',
]
const durations = [
  '0',
  '0s',
  '1ns',
  '-1h',
  '1',
  '1.5h',
  '1H',
  '59m',
  '60m',
  '1h1h',
  '99999999999w',
  '9223372036854775808ns',
]
const moments = [
  'tomorrow',
  '2026-13-45T00:00:00Z',
  '0001-01-01T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '2026-01-01',
]
const mostItems = 1_100

/**
 * Every edit of one field that its schema gives rise to, whatever the field means.
 * @param good a spec that is well
 * @param named values that mean something here: of things that are there, taken, or never come up
 */
export function editsOf(
  kind: KindName,
  root: StructuralSchema,
  field: Field,
  good: Json,
  named: readonly unknown[] = [],
): readonly Edit[] {
  const { schema, steps, name } = field
  const current = valueAt(good, steps) ?? sampleOf(schema)
  const values = [...named, removed, null, ...wrongTypes(schema), ...valuesOf(schema, current)]
  const seen = new Set<string>()
  return values.flatMap((value) => {
    const spec = value === removed && steps.length === 0 ? removed : withValue(root, good, steps, value)
    const text = JSON.stringify(spec) ?? 'none'
    if (seen.has(text)) return []
    seen.add(text)
    return [{ kind, field: name, what: inShort(value), spec: spec === removed ? undefined : spec }]
  })
}

function inShort(value: unknown): string {
  if (value === removed) return 'removed'
  const text = JSON.stringify(value)
  return text.length <= 60 ? text : `${text.slice(0, 40)}… (${text.length} characters)`
}

function wrongTypes({ type }: StructuralSchema): readonly unknown[] {
  const all: Readonly<Record<StructuralSchema['type'], unknown>> = {
    object: { 'no-such-field': 1 },
    array: ['text'],
    string: 'text',
    integer: 7,
    boolean: true,
  }
  return Object.entries(all).flatMap(([other, value]) => (other === type ? [] : [value]))
}

function valuesOf(schema: StructuralSchema, current: unknown): readonly unknown[] {
  if (schema.enum) return valuesOfEnum(schema.enum)
  switch (schema.type) {
    case 'integer':
      return numbersOf(schema)
    case 'boolean':
      return [true, false, 'true']
    case 'string':
      return textsOf(schema)
    case 'array':
      return listsOf(schema, current)
    case 'object':
      return objectsOf(schema, current as Json)
    default:
      return unreachable(schema.type)
  }
}

function valuesOfEnum(values: readonly (string | number)[]): readonly unknown[] {
  const strange = values.map((value) => (typeof value === 'string' ? value.toLowerCase() : value + 1))
  return [...values, ...strange, 'NoSuchWord', '', -1]
}

function numbersOf({ minimum = 0, maximum = Number.MAX_SAFE_INTEGER }: StructuralSchema) {
  return [minimum, minimum - 1, minimum + 1, maximum, maximum + 1, 0, -1, 1.5, 9e18, 1e300]
}

function textsOf(schema: StructuralSchema): readonly string[] {
  const longest = schema.maxLength ?? 1_000
  const shapes = fits(schema, 'zz')
    ? [...(schema.pattern === undefined ? addresses : [])]
    : [
        ...(fits(schema, '10Gi') ? quantities : []),
        ...(fits(schema, '1h30m') ? durations : []),
        ...(fits(schema, '2026-01-01T00:00:00Z') ? moments : []),
      ]
  return [...texts, ...shapes, 'a'.repeat(longest), 'a'.repeat(longest + 1), String(sampleOf(schema))]
}

function listsOf(schema: StructuralSchema, current: unknown): readonly unknown[] {
  const items = Array.isArray(current) && current.length > 0 ? current : [sampleOf(schema.items!)]
  const most = Math.min(schema.maxItems ?? mostItems, mostItems)
  return [
    [],
    [null],
    [items[0], items[0]],
    Array.from({ length: most + 1 }, (_, index) => itemOf(schema.items!, items[0], index)),
  ]
}

/** Another element a number, as far as its schema knows how. */
function itemOf(schema: StructuralSchema, item: unknown, index: number): unknown {
  const named = Object.entries(schema.properties ?? {}).find(([, { type }]) => type === 'string')
  if (!named) return item
  const [key, child] = named
  const text = `a${index}`
  return fits(child, text) ? { ...(item as Json), [key]: text } : item
}

function objectsOf(schema: StructuralSchema, current: Json): readonly unknown[] {
  if (!schema.additionalProperties) return [{}, { ...current, noSuchField: 1 }]
  const [value] = Object.values(current)
  const sample = value ?? sampleOf(schema.additionalProperties)
  const many = (schema.maxProperties ?? 100) + 1
  return [
    {},
    { '': sample },
    { 'no such/key/at all': sample },
    { ['k'.repeat(400)]: sample },
    Object.fromEntries(Array.from({ length: many }, (_, index) => [`k${index}`, sample])),
  ]
}
