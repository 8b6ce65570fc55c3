import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { StructuralSchema } from '../../../operator/api/structural.ts'

export type KindName = 'Organization' | 'Database' | 'Token'

/** One field of a spec, wherever it lies in it. */
export interface Field {
  /** As a refusal names it, without indices: `spec.access.from[].cidr`; `{}` is a value of a map. */
  readonly name: string
  /** From the spec down: keys, `[]` for an element, `{}` for a value of a map. */
  readonly steps: readonly string[]
  readonly schema: StructuralSchema
}

interface Definition {
  readonly spec: {
    readonly versions: readonly [
      {
        readonly schema: { readonly openAPIV3Schema: { readonly properties: { spec: StructuralSchema } } }
      },
    ]
  }
}

const files: Readonly<Record<KindName, string>> = {
  Organization: 'organizations',
  Database: 'databases',
  Token: 'tokens',
}

/** The schema of a kind's spec, out of the very file that is installed. */
export async function specSchema(kind: KindName): Promise<StructuralSchema> {
  const file = join(import.meta.dirname, `../../../crds/holdfast.dev_${files[kind]}.yaml`)
  const definition = parse(await readFile(file, 'utf8')) as Definition
  return definition.spec.versions[0].schema.openAPIV3Schema.properties.spec
}

/** Every field below a schema, itself first. */
export function fieldsOf(
  schema: StructuralSchema,
  name = 'spec',
  steps: readonly string[] = [],
): readonly Field[] {
  const below = (step: string, child: StructuralSchema | undefined): readonly Field[] => {
    if (!child) return []
    const isKey = step !== '[]' && step !== '{}'
    return fieldsOf(child, `${name}${isKey ? '.' : ''}${step}`, [...steps, step])
  }
  return [
    { name, steps, schema },
    ...Object.entries(schema.properties ?? {}).flatMap(([key, child]) => below(key, child)),
    ...below('{}', schema.additionalProperties),
    ...below('[]', schema.items),
  ]
}
