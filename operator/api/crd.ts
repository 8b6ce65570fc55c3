import type * as z from 'zod'
import { databaseRules, organizationRules, tokenRules, type Rule } from './cel.ts'
import { unseenGeneration } from './conditions.ts'
import { databaseSpecSchema, databaseStatusSchema } from './database.ts'
import { group, version } from './fields.ts'
import { organizationSpecSchema, organizationStatusSchema } from './organization.ts'
import { structuralSchema, validationRules, withoutDefaults, type StructuralSchema } from './structural.ts'
import { tokenSpecSchema, tokenStatusSchema } from './token.ts'

interface Column {
  readonly name: string
  readonly type: 'string' | 'date'
  readonly jsonPath: string
  readonly description: string
  /** 1: only with `-o wide`. */
  readonly priority?: 1
}

/** One kind of the API: all that its CustomResourceDefinition and its page of reference are made of. */
export interface Kind {
  readonly kind: string
  readonly plural: string
  readonly shortName: string
  readonly description: string
  readonly spec: StructuralSchema
  readonly status: StructuralSchema
  readonly objectRules: ReturnType<typeof validationRules>
  readonly columns: readonly Column[]
  readonly selectableFields: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

const condition = (type: string, part: string) => `.status.conditions[?(@.type=="${type}")].${part}`

const ready: readonly Column[] = [
  {
    name: 'Ready',
    type: 'string',
    jsonPath: condition('Ready', 'status'),
    description: 'Whether it does what its spec says',
  },
  { name: 'Reason', type: 'string', jsonPath: condition('Ready', 'reason'), description: 'Why, in one word' },
]
const ending: readonly Column[] = [
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since its creation' },
  {
    name: 'Message',
    type: 'string',
    jsonPath: condition('Ready', 'message'),
    description: 'Why, in a sentence',
    priority: 1,
  },
]
const column = (name: string, jsonPath: string, description: string, priority?: 1): Column => ({
  name,
  type: 'string',
  jsonPath,
  description,
  ...(priority && { priority }),
})

function define<Resource>(
  given: Omit<Kind, 'spec' | 'status' | 'objectRules' | 'columns'> & {
    readonly specSchema: z.ZodType
    readonly statusSchema: z.ZodType
    readonly rules: readonly Rule<Resource>[]
    readonly columns: readonly Column[]
  },
): Kind {
  const { specSchema, statusSchema, rules, columns, ...rest } = given
  return {
    ...rest,
    spec: {
      ...structuralSchema(specSchema),
      'x-kubernetes-validations': validationRules(rules, 'spec'),
    },
    status: withoutDefaults(structuralSchema(statusSchema)),
    objectRules: validationRules(rules, 'object'),
    columns: [...ready, ...columns, ...ending],
  }
}

export const kinds: readonly Kind[] = [
  define({
    kind: 'Organization',
    plural: 'organizations',
    shortName: 'org',
    description: 'A tenant: its own storage nodes, namespace, keys, network policies and quota.',
    specSchema: organizationSpecSchema.describe('What the tenant is to have.'),
    statusSchema: organizationStatusSchema.describe('What the tenant has. Written by the operator alone.'),
    rules: organizationRules,
    columns: [
      column('Id', '.status.organizationId', 'Id of the organization'),
      column('Size', '.spec.storage.size', 'Size of each volume asked for'),
      column('Class', '.spec.class', 'Class of the platform', 1),
      column('Version', '.status.version', 'Version of the storage node', 1),
      column(
        'Isolated',
        condition('NetworkIsolated', 'status'),
        'Whether closed paths were proved closed',
        1,
      ),
    ],
    selectableFields: [],
    labels: {},
  }),
  define({
    kind: 'Database',
    plural: 'databases',
    shortName: 'hdb',
    description: 'A database of an organization: an InfluxDB 1 database, an InfluxDB 2 bucket.',
    specSchema: databaseSpecSchema.describe('What the database is to be.'),
    statusSchema: databaseStatusSchema.describe('What the database is. Written by the operator alone.'),
    rules: databaseRules,
    columns: [
      column('Organization', '.spec.organization', 'Organization that holds it'),
      column('Database', '.status.databaseName', 'Name that clients use'),
      column('Id', '.status.databaseId', 'Id of the database'),
      column('Retention', '.spec.retention', 'How long autogen keeps points', 1),
    ],
    selectableFields: ['.spec.organization'],
    labels: {},
  }),
  define({
    kind: 'Token',
    plural: 'tokens',
    shortName: 'htok',
    description: 'A token for clients: permissions, and a Secret that holds the token string.',
    specSchema: tokenSpecSchema.describe('What the token is to allow.'),
    statusSchema: tokenStatusSchema.describe(
      'What nodes accept. Written by the operator alone; no token string.',
    ),
    rules: tokenRules,
    columns: [
      column('Organization', '.spec.organization', 'Organization that it belongs to'),
      column('Id', '.status.tokens[0].id', 'Id of the token string in force'),
      column('Secret', '.status.binding.name', 'Secret that holds it'),
      column('Last used', '.status.tokens[0].lastUsedAt', 'When it was last used, up to a day behind', 1),
      column('Expires', '.status.tokens[0].expiresAt', 'When it ends', 1),
    ],
    selectableFields: ['.spec.organization'],
    labels: { 'servicebinding.io/provisioned-service': 'true' },
  }),
]

/** The CustomResourceDefinition of a kind. */
export function customResourceDefinition(kind: Kind): Readonly<Record<string, unknown>> {
  const schema = {
    type: 'object',
    description: kind.description,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: `${group}/${version}.` },
      kind: { type: 'string', description: `${kind.kind}.` },
      metadata: { type: 'object' },
      spec: kind.spec,
      // So that an object that no operator has seen yet is never taken for a healthy one: kstatus, by which Flux and Helm wait,
      // compares it with the generation, and would take an object without a status for what it is to be.
      status: { ...kind.status, default: { observedGeneration: unseenGeneration } },
    },
    'x-kubernetes-validations': kind.objectRules.length > 0 ? kind.objectRules : undefined,
  }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${kind.plural}.${group}`,
      labels: { 'app.kubernetes.io/name': 'holdfast', ...kind.labels },
    },
    spec: {
      group,
      scope: 'Namespaced',
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.kind.toLowerCase(),
        shortNames: [kind.shortName],
        categories: ['holdfast'],
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: kind.columns,
          selectableFields:
            kind.selectableFields.length > 0
              ? kind.selectableFields.map((jsonPath) => ({ jsonPath }))
              : undefined,
          schema: { openAPIV3Schema: schema },
        },
      ],
    },
  }
}
