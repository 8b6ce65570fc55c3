import { createHmac, timingSafeEqual } from 'node:crypto'
import { canonicalJson } from '../../common/state-document.ts'
import { classOf, wantedVersion, type DesiredInput } from './input.ts'
import { resourcesPart } from './limit-range.ts'

type Part = Readonly<Record<string, unknown>>

/** On the StatefulSet: the pod template as it was made, and the proof that the operator made it, of these inputs. */
export const templateAnnotations = {
  template: 'holdfast.dev/template',
  mac: 'holdfast.dev/template-mac',
} as const

/**
 * The template to keep, null if it is to be built anew. One that was made of the same inputs is kept as it was made,
 * so that an operator whose builder makes another rolls no pod; what somebody changes in the live one is put back to
 * it. The record counts only if the operator made it.
 */
export function keptTemplate(input: DesiredInput): Part | null {
  const record = input.existing?.template
  if (!record) return null
  const wanted = Buffer.from(macOf(input, record.text))
  const given = Buffer.from(record.mac)
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return null
  return JSON.parse(record.text) as Part
}

/** The annotations that record a template. */
export function templateRecord(input: DesiredInput, template: Part): Readonly<Record<string, string>> {
  const text = canonicalJson(template)
  return { [templateAnnotations.template]: text, [templateAnnotations.mac]: macOf(input, text) }
}

/** Neither text holds a line feed, so the joined text is unambiguous. */
function macOf(input: DesiredInput, text: string): string {
  return createHmac('sha256', input.ownerKey)
    .update(['holdfast-template-1', input.organizationId, canonicalJson(inputsOf(input)), text].join('\n'))
    .digest('hex')
}

/**
 * What people choose of a pod, in a spec or for the platform. An input that is added here later must be left out while
 * it has the value that it had in effect before, or every pod is rolled once.
 */
function inputsOf(input: DesiredInput): Part {
  const { resources, nodeSelector, tolerations, priorityClassName } = classOf(input)
  const { installationId, storageNode } = input.platform
  return {
    version: wantedVersion(input),
    replicas: input.organization.spec.storage.replicas,
    ...resourcesPart('requests', resources.requests),
    ...resourcesPart('limits', resources.limits),
    nodeSelector,
    tolerations,
    priorityClassName,
    imagePullPolicy: storageNode.imagePullPolicy,
    installationId,
  }
}
