import * as z from 'zod'
import { assert } from '../../common/errors.ts'
import type { Rule } from './cel.ts'

/** The part of JSON Schema that Kubernetes calls structural. */
export interface StructuralSchema {
  readonly type: 'object' | 'array' | 'string' | 'integer' | 'boolean'
  readonly description?: string
  readonly default?: unknown
  readonly format?: string
  readonly pattern?: string
  readonly enum?: readonly (string | number)[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly maxProperties?: number
  readonly nullable?: boolean
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, StructuralSchema>>
  readonly additionalProperties?: StructuralSchema
  readonly items?: StructuralSchema
  readonly 'x-kubernetes-list-type'?: 'map' | 'set' | 'atomic'
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[]
}

export interface ValidationRule {
  readonly rule: string
  readonly message: string
  readonly fieldPath?: string
}

const keptKeys = [
  'type',
  'description',
  'default',
  'format',
  'pattern',
  'enum',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
  'nullable',
  'required',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
] as const
const droppedKeys = new Set<string>(['properties', 'additionalProperties', 'items'])

/**
 * A zod schema as a Kubernetes structural schema. What may be left out may also be null, and both mean the same: CEL's
 * `has` is false for either, and server-side apply, unlike a plain write, keeps nulls and would refuse them otherwise.
 * @throws AssertionError for what a structural schema cannot say, unions above all
 */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  return convert(z.toJSONSchema(schema, { io: 'input', target: 'openapi-3.0' }), '')
}

type Json = Readonly<Record<string, unknown>>

function convert(node: Json, path: string): StructuralSchema {
  const unknownKeys = Object.keys(node).filter(
    (key) => !droppedKeys.has(key) && !(keptKeys as readonly string[]).includes(key),
  )
  assert(unknownKeys.length === 0, `${path}: a structural schema cannot say ${unknownKeys.join(', ')}`)
  const kept = Object.fromEntries(
    keptKeys.filter((key) => node[key] !== undefined && node[key] !== null).map((key) => [key, node[key]]),
  )
  if (node.type === 'number' || node.type === 'integer')
    Object.assign(kept, { type: 'integer', format: 'int64' })
  // Kubernetes checks the format date-time itself, and zod's pattern for it would fill a page.
  if (node.format === 'date-time') delete kept.pattern
  const properties = node.properties as Readonly<Record<string, Json>> | undefined
  return {
    ...kept,
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, child]) => [name, convert(child, `${path}.${name}`)]),
      ),
    }),
    ...(typeof node.additionalProperties === 'object' && {
      additionalProperties: convert(node.additionalProperties as Json, `${path}{}`),
    }),
    ...(node.items !== undefined && { items: convert(node.items as Json, `${path}[]`) }),
  } as StructuralSchema
}

/** The schema of a status: the operator writes it whole, so the API server fills nothing in and demands nothing. */
export function withoutDefaults(schema: StructuralSchema): StructuralSchema {
  const { default: _, ...rest } = schema
  return {
    ...rest,
    ...(schema.properties && {
      properties: Object.fromEntries(
        Object.entries(schema.properties).map(([name, child]) => [name, withoutDefaults(child)]),
      ),
    }),
    ...(schema.items && { items: withoutDefaults(schema.items) }),
  }
}

/** The rules of one place as the API server wants them. */
export function validationRules<Resource>(
  rules: readonly Rule<Resource>[],
  at: 'spec' | 'object',
): readonly ValidationRule[] {
  return rules
    .filter((rule) => rule.at === at)
    .map(({ cel, message, field }) => ({ rule: cel, message, ...(field && { fieldPath: field }) }))
}
