import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { kinds } from './crd.ts'
import { optional } from './fields.ts'
import { structuralSchema, type StructuralSchema } from './structural.ts'

// The API server refuses a schema that is not structural, and CEL whose cost it cannot bound; a field that nobody
// described cannot be used.

describe('structuralSchema', () => {
  test('what may be left out may be null', () => {
    expect(structuralSchema(z.object({ a: optional(z.string().max(3)).describe('An a.') }))).toEqual({
      type: 'object',
      properties: { a: { type: 'string', nullable: true, maxLength: 3, description: 'An a.' } },
    })
  })

  test('defaults make a field optional', () => {
    expect(structuralSchema(z.object({ a: z.int().min(1).max(2).default(1), b: z.boolean() }))).toEqual({
      type: 'object',
      required: ['b'],
      properties: {
        a: { type: 'integer', format: 'int64', minimum: 1, maximum: 2, default: 1 },
        b: { type: 'boolean' },
      },
    })
  })

  test('a union cannot be said', () => {
    const schema = z.object({ a: z.union([z.string(), z.int()]) })
    expect(() => structuralSchema(schema)).toThrow('.a: a structural schema cannot say anyOf')
  })
})

function walk(
  schema: StructuralSchema,
  path: string,
  visit: (schema: StructuralSchema, path: string) => void,
): void {
  visit(schema, path)
  for (const [name, child] of Object.entries(schema.properties ?? {})) walk(child, `${path}.${name}`, visit)
  if (schema.items) walk(schema.items, `${path}[]`, visit)
}

describe.each(kinds)('$kind', ({ spec, status }) => {
  const fields: { readonly schema: StructuralSchema; readonly path: string }[] = []
  walk(spec, 'spec', (schema, path) => fields.push({ schema, path }))
  walk(status, 'status', (schema, path) => fields.push({ schema, path }))

  test('every field is described', () => {
    const isElement = (path: string) => path.endsWith('[]')
    expect(fields.length).toBeGreaterThan(15)
    expect(
      fields.filter(({ schema, path }) => !schema.description && !isElement(path)).map(({ path }) => path),
    ).toEqual([])
  })

  test('every text and list has a limit', () => {
    const bounded = ({ type, enum: values, format, maxLength, maxItems, pattern }: StructuralSchema) =>
      (type !== 'string' ||
        values !== undefined ||
        format === 'date-time' ||
        maxLength !== undefined ||
        /^\^\[0-9a-f\]\{\d+\}\$$/.test(pattern ?? '')) &&
      (type !== 'array' || maxItems !== undefined)
    expect(fields.filter(({ schema }) => !bounded(schema)).map(({ path }) => path)).toEqual([])
  })

  test('no field of a spec has a format: with one the API server takes a list for a text', () => {
    const given = fields.filter(({ path, schema }) => path.startsWith('spec') && schema.type === 'string')
    expect(given.filter(({ schema }) => schema.format !== undefined).map(({ path }) => path)).toEqual([])
  })

  test('nothing refers to another namespace', () => {
    const found = fields.map(({ path }) => path).filter((path) => /namespace$/i.test(path))
    // Where pods may call from is no reference that the operator would follow.
    expect(
      found.filter((path) => !/^(spec\.access\.from\[\]\.namespace|status\.runtimeNamespace)$/.test(path)),
    ).toEqual([])
  })
})
