import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StructuralSchema } from '../../../operator/api/structural.ts'
import { OperatorBench } from '../operator-bench.ts'
import { VolumeStandIn } from '../volume-stand-in.ts'
import { editsOf, type Edit } from './edits.ts'
import { classes, goodSpecs, images, namedValues, stuckMark } from './good-specs.ts'
import { Lane, objectOf } from './lane.ts'
import { fieldsOf, specSchema, type KindName } from './schema-fields.ts'
import { shareOf } from './share.ts'
import { tableOf } from './table.ts'
import { ask, badRefusal, tryOut, type Answered, type Outcome } from './trials.ts'

// Promise: whatever somebody writes into any field of the three kinds is refused in words that name the field and what is
// accepted, or is in force, or its object says in a documented word why it is not, while everybody else has what they
// had; and going back to what was well heals all of it. The edits come from the schemas that are installed, so a field
// that is new there is tried like all others.

const kubeconfig = process.env['KUBECONFIG']
const isWhole = process.env['HOLDFAST_EVERY_MISOPERATION'] === '1'
const laneCount = isWhole ? 6 : 4
/** In `make test`: of the edits of each field, and of those that are accepted. */
const editsPerField = 8
const trialCount = 16
const kinds: readonly KindName[] = ['Organization', 'Database', 'Token']

async function allEdits(): Promise<readonly Edit[]> {
  const perKind = await Promise.all(
    kinds.map(async (kind) => {
      const schema = await specSchema(kind)
      return fieldsOf(schema).flatMap((field) => {
        const edits = editsOf(kind, schema, field, goodSpecs[kind], namedValues[`${kind} ${field.name}`])
        return isWhole ? edits : spread(edits, editsPerField)
      })
    }),
  )
  return perKind.flat()
}

test('a field of any shape that a schema may have gets edits of its own', () => {
  const invented: StructuralSchema = {
    type: 'object',
    properties: {
      plate: { type: 'string', pattern: '^[A-Z]{2}-[0-9]{3}$', maxLength: 6 },
      tree: {
        type: 'array',
        maxItems: 2,
        items: { type: 'object', properties: { deep: { type: 'integer' } } },
      },
      map: { type: 'object', additionalProperties: { type: 'boolean' } },
    },
  }
  const fields = fieldsOf(invented)
  expect(fields.map(({ name }) => name)).toEqual([
    'spec',
    'spec.plate',
    'spec.tree',
    'spec.tree[]',
    'spec.tree[].deep',
    'spec.map',
    'spec.map{}',
  ])
  for (const field of fields) {
    const edits = editsOf('Database', invented, field, {})
    expect(edits.length, field.name).toBeGreaterThan(5)
  }
  const plates = editsOf('Database', invented, fields[1]!, {})
    .map(({ spec }) => (spec as { plate?: unknown }).plate)
    .filter((plate) => typeof plate === 'string' && /^[A-Z]{2}-[0-9]{3}$/.test(plate))
  expect(plates, 'one that the pattern takes').toHaveLength(1)
})

describe.skipIf(kubeconfig === undefined)('every edit (KUBECONFIG names the cluster)', () => {
  let bench: OperatorBench
  let volumes: VolumeStandIn
  let neighbour: Lane
  const lanes: Lane[] = []
  const answers: Answered[] = []
  const outcomes: Outcome[] = []

  beforeAll(async () => {
    bench = await OperatorBench.open(kubeconfig!, { classes, images })
    bench.nodes.stuckMark = stuckMark
    volumes = new VolumeStandIn(bench.server)
    await volumes.start()
    // What has grown cannot go back, so that nothing grows here.
    await volumes.allowExpansion(false)
    const opened = await Promise.all(Array.from({ length: laneCount + 1 }, () => Lane.open(bench)))
    neighbour = opened.pop()!
    lanes.push(...opened)
  })

  afterAll(async () => {
    console.log(tableOf(answers, outcomes))
    await volumes.stop()
    await bench.close()
  })

  test('is accepted, or refused in words that name the field and what is accepted', async () => {
    const edits = await allEdits()
    const lane = lanes[0]!
    await shareOf(edits, lanes.length, async (edit) => {
      answers.push(await ask(lane, edit))
    })
    const bad = answers.flatMap((answered) => {
      const fault = badRefusal(answered)
      return fault === null ? [] : [`${named(answered)}: ${fault}`]
    })
    expect(bad).toEqual([])
    const refused = new Set(
      answers.filter(({ refusal }) => refusal !== null).map(({ edit }) => fieldOf(edit)),
    )
    const never = [...new Set(edits.map(fieldOf))].filter((field) => !refused.has(field))
    expect(never, 'fields that take anything at all').toEqual([])
  }, 600_000)

  test('that is accepted is in force or says why not, takes nothing from others, and can be undone', async () => {
    const accepted = answers.filter(({ refusal, isSame }) => refusal === null && !isSame)
    expect(accepted.length).toBeGreaterThan(trialCount)
    await shareOf(
      isWhole ? accepted : spread(accepted, trialCount),
      lanes.length,
      async (answered, index) => {
        const outcome = await tryOut(lanes[index]!, answered)
        const robbed = await neighbour.robbed()
        const faults = robbed === null ? [] : [`the neighbour: ${robbed}`]
        outcomes.push({ ...outcome, faults: [...outcome.faults, ...faults] })
      },
    )
    await bench.apply(
      objectOf('Database', neighbour.namespace, 'other', {
        organization: 'acme',
        databaseName: 'other',
        retention: '48h',
      }),
    )
    await neighbour.becomesWell()
    const kept = neighbour.document?.databases.find(({ name }) => name === 'other')
    expect(kept?.retentionPolicies[0]?.durationNs, 'the neighbour goes on').toBe('172800000000000')
    const bad = outcomes.flatMap(({ answered, faults }) =>
      faults.map((fault) => `${named(answered)}: ${fault}`),
    )
    expect(bad).toEqual([])
  }, 3_600_000)

  const fieldOf = ({ kind, field }: Edit): string => `${kind} ${field}`
  const named = ({ edit, by }: Answered): string => `${fieldOf(edit)} ${edit.what} (${by})`
})

/** So many of a list, evenly, so that every kind and most fields have their turn. */
function spread<Item>(items: readonly Item[], count: number): readonly Item[] {
  const step = Math.max(1, items.length / count)
  return Array.from({ length: Math.min(count, items.length) }, (_, index) => items[Math.floor(index * step)]!)
}
