import { createHmac, timingSafeEqual } from 'node:crypto'
import * as z from 'zod'
import { classNamed } from '../api/platform.ts'
import { canonicalJson } from '../../common/state-document.ts'
import { storageNode } from '../naming/names.ts'
import { classOf, type DesiredInput } from './input.ts'
import { resourcesPart } from './limit-range.ts'

export type Part = Readonly<Record<string, unknown>>

/** What the operator signs its records by. */
export type Signer = Pick<DesiredInput, 'organizationId' | 'ownerKey'>

/** What the pods of an organization are: both as canonical JSON. */
export interface Form {
  /** All that people choose of a pod; see `chosen`. */
  readonly inputs: string
  /** The pod template that the operator made of it. */
  readonly template: string
}

/** On the StatefulSet: the pod template as it was made, of which inputs, and the proof that the operator made it. */
export const templateAnnotations = {
  template: 'holdfast.dev/template',
  inputs: 'holdfast.dev/template-inputs',
  mac: 'holdfast.dev/template-mac',
} as const

const inputsSchema = z.looseObject({ version: z.string() })
const amounts = z.record(z.string(), z.string()).default({})
const templateSchema = z.looseObject({
  spec: z.looseObject({
    containers: z.array(
      z.looseObject({
        name: z.string(),
        image: z.string(),
        resources: z.object({ limits: amounts, requests: amounts }),
      }),
    ),
  }),
})

/**
 * The form of the live StatefulSet as the operator recorded it, null if there is no record or somebody else wrote it.
 * @param wanted the inputs of now: what a record of before was made of that does not name its own
 */
export function recordedForm(input: DesiredInput, wanted: string): Form | null {
  const record = input.existing?.template
  if (!record) return null
  for (const inputs of inputsOf(input, record.inputs, wanted)) {
    const form = { inputs, template: record.text }
    if (isSigned(formMac(input, form), record.mac)) return form
  }
  return null
}

/** A record of before was made of what is wanted now, or of that with the version that runs. */
function* inputsOf(input: DesiredInput, named: string | null, wanted: string): Iterable<string> {
  yield named ?? wanted
  const version = input.existing?.version ?? null
  const isKnown = classNamed(input.platform, input.organization.spec.class) !== null
  if (named === null && version !== null && isKnown) yield chosen(input, version)
}

/** The annotations that record a form. */
export function formAnnotations(signer: Signer, form: Form): Readonly<Record<string, string>> {
  return {
    [templateAnnotations.template]: form.template,
    [templateAnnotations.inputs]: form.inputs,
    [templateAnnotations.mac]: formMac(signer, form),
  }
}

export function formOf(inputs: string, template: Part): Form {
  return { inputs, template: canonicalJson(template) }
}

export const versionOf = ({ inputs }: Pick<Form, 'inputs'>): string =>
  inputsSchema.parse(JSON.parse(inputs)).version

export const imageOf = (form: Form): string => containerOf(form).image

export const resourcesOf = (form: Form) => containerOf(form).resources

export const templateOf = (form: Form): Part => JSON.parse(form.template) as Part

function containerOf({ template }: Form) {
  const { containers } = templateSchema.parse(JSON.parse(template)).spec
  return containers.find(({ name }) => name === storageNode) ?? containers[0]!
}

const formMac = (signer: Signer, { inputs, template }: Form): string =>
  signature(signer, 'holdfast-template-1', inputs, template)

/** No text holds a line feed, so the joined text is unambiguous. */
export function signature({ ownerKey, organizationId }: Signer, kind: string, ...texts: string[]): string {
  return createHmac('sha256', ownerKey)
    .update([kind, organizationId, ...texts].join('\n'))
    .digest('hex')
}

export function isSigned(wanted: string, given: string): boolean {
  const [a, b] = [Buffer.from(wanted), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/**
 * What people choose of a pod, in a spec or for the platform. An input that is added here later must be left out while
 * it has the value that it had in effect before, or every pod is rolled once.
 */
export function chosen(input: DesiredInput, version: string): string {
  const { resources, nodeSelector, tolerations, priorityClassName } = classOf(input)
  const { installationId, storageNode: node } = input.platform
  return canonicalJson({
    version,
    replicas: input.organization.spec.storage.replicas,
    ...resourcesPart('requests', resources.requests),
    ...resourcesPart('limits', resources.limits),
    nodeSelector,
    tolerations,
    priorityClassName,
    imagePullPolicy: node.imagePullPolicy,
    installationId,
  })
}
