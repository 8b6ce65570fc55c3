import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

type Schema = Readonly<Record<string, unknown>>

interface Kind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

const prefix = '#/definitions/'

/**
 * Writes what an API server says of its kinds as JSON schemas that take no field which it does not know, a file for each
 * kind, as kubeconform looks for them: `--schema-location '<folder>/{{.ResourceKind}}{{.KindSuffix}}.json'`.
 * @param openApi the document at `/openapi/v2`
 * @returns how many kinds there are
 */
export async function writeSchemas(openApi: unknown, folder: string): Promise<number> {
  const { definitions } = openApi as { readonly definitions: Readonly<Record<string, Schema>> }
  const strict = Object.fromEntries(
    Object.entries(definitions).map(([name, schema]) => [name, strictly(name, schema)]),
  )
  await mkdir(folder, { recursive: true })
  let count = 0
  for (const [name, schema] of Object.entries(definitions)) {
    for (const kind of (schema['x-kubernetes-group-version-kind'] ?? []) as readonly Kind[]) {
      const used = Object.fromEntries([...reachable(name, strict)].map((key) => [key, strict[key]]))
      const text = JSON.stringify({ $ref: `${prefix}${name}`, definitions: used })
      await writeFile(join(folder, fileOf(kind)), text)
      count += 1
    }
  }
  return count
}

function fileOf({ group, version, kind }: Kind): string {
  const [first] = group.split('.')
  return `${[kind, ...(group === '' ? [] : [first]), version].join('-').toLowerCase()}.json`
}

/** A schema that refuses fields which it does not name. */
function strictly(name: string, schema: Schema): Schema {
  // What a text cannot say in this form of schema.
  if (name.endsWith('.Quantity')) return { type: ['string', 'number'] }
  if (schema['format'] === 'int-or-string') return { type: ['string', 'integer'] }
  const entries = Object.entries(schema).flatMap(([key, value]): readonly (readonly [string, unknown])[] => {
    if (key.startsWith('x-kubernetes-') || key === 'description' || key === 'default') return []
    if (key === 'properties') return [[key, mapped(value as Readonly<Record<string, Schema>>)]]
    if (key === 'items' || (key === 'additionalProperties' && typeof value === 'object'))
      return [[key, strictly('', value as Schema)]]
    return [[key, value]]
  })
  const isOpen =
    !('properties' in schema) ||
    'additionalProperties' in schema ||
    schema['x-kubernetes-preserve-unknown-fields'] === true
  return { ...Object.fromEntries(entries), ...(!isOpen && { additionalProperties: false }) }
}

function mapped(properties: Readonly<Record<string, Schema>>): Readonly<Record<string, Schema>> {
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, strictly('', value)]))
}

/** A definition and all that it refers to. */
function reachable(name: string, definitions: Readonly<Record<string, Schema>>): ReadonlySet<string> {
  const found = new Set<string>([name])
  for (const key of found) {
    const text = JSON.stringify(definitions[key])
    for (const [, next] of text.matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g)) found.add(next!)
  }
  return found
}
