import * as z from 'zod'
import { AppError } from '../../common/errors.ts'
import { canonicalJson } from '../../common/state-document.ts'
import { storageNodeLabels, labelKeys, retryOf } from '../naming/labels.ts'
import { newVersion, type DesiredInput, type ExistingStorageNodes } from './input.ts'
import { podSpec } from './pod.ts'
import {
  chosen,
  formOf,
  imageOf,
  isSigned,
  recordedForm,
  signature,
  versionOf,
  type Form,
  type Signer,
} from './template.ts'

/**
 * The change of an organization's pods from a form that served to another one, kept on the StatefulSet in the write that
 * begins it, so that every process finds it and the way back beside it:
 *
 *     none -> Rolling         something else is chosen than what runs
 *     Rolling -> none         every node is ready under it
 *     Rolling -> RollingBack  it was not ready in time
 *     RollingBack -> RolledBack  the form of before is ready again; what failed is not tried again
 *
 * Whatever is chosen meanwhile, and whoever asks for another try, begins anew, from the form that served last.
 */
export interface Rollout {
  readonly phase: 'Rolling' | 'RollingBack' | 'RolledBack'
  /** What served last. */
  readonly from: Form
  readonly to: {
    readonly inputs: string
    readonly image: string
    /** Who asked for another try had said this when it began; absent for nothing. */
    readonly retry?: string | undefined
  }
  /** When this phase began, or the one before where it is over: ISO 8601. */
  readonly startedAt: string
  /** Why it did not come up. */
  readonly message?: string | undefined
}

/** What the pods are to be now. */
export interface Plan {
  readonly form: Form
  readonly rollout: Rollout | null
}

export const rolloutAnnotations = {
  rollout: 'holdfast.dev/rollout',
  mac: 'holdfast.dev/rollout-mac',
} as const

/** Loose: what a later operator adds is passed on, and an older one that takes over goes on all the same. */
const rolloutSchema = z.looseObject({
  phase: z.enum(['Rolling', 'RollingBack', 'RolledBack']),
  from: z.looseObject({ inputs: z.string(), template: z.string() }),
  to: z.looseObject({ inputs: z.string(), image: z.string(), retry: z.string().optional() }),
  startedAt: z.iso.datetime(),
  message: z.string().optional(),
})

type Recorded = Pick<ExistingStorageNodes, 'rollout'> | null

/**
 * The rollout that the operator recorded, null if there is none, or none that it can read; what somebody else wrote
 * counts for nothing.
 */
export function recordedRollout(signer: Signer, existing: Recorded): Rollout | null {
  const text = recordedText(signer, existing)
  return text === null ? null : (rolloutSchema.safeParse(JSON.parse(text)).data ?? null)
}

/** Whether an operator recorded one in a way that this one does not know. */
export function isUnreadable(signer: Signer, existing: Recorded): boolean {
  return recordedText(signer, existing) !== null && recordedRollout(signer, existing) === null
}

function recordedText(signer: Signer, existing: Recorded): string | null {
  const record = existing?.rollout
  if (!record) return null
  return isSigned(signature(signer, 'holdfast-rollout-1', record.text), record.mac) ? record.text : null
}

/** The annotations that record a rollout. */
export function rolloutRecord(signer: Signer, rollout: Rollout | null): Readonly<Record<string, string>> {
  if (!rollout) return {}
  const text = canonicalJson(rollout)
  return {
    [rolloutAnnotations.rollout]: text,
    [rolloutAnnotations.mac]: signature(signer, 'holdfast-rollout-1', text),
  }
}

/**
 * What the pods are to be, of what is chosen, what runs, and how far a rollout has come.
 * @throws AppError not-found, ERR_CLASS_UNKNOWN or ERR_VERSION_UNKNOWN
 */
export function planOf(input: DesiredInput): Plan {
  const recorded = recordedRollout(input, input.existing)
  const served = recorded && versionOf(recorded.from)
  const version = input.organization.spec.version ?? served ?? newVersion(input)
  const inputs = chosen(input, version)
  const current = recordedForm(input, inputs)
  const image = wantedImage(input, version, recorded, current)
  const made = (): Form =>
    current?.inputs === inputs && imageOf(current) === image ? current : build(input, version, image, inputs)
  const retry = retryOf(input.organization.metadata)
  const begin = (from: Form, form: Form): Plan => {
    const to = { inputs, image, ...(retry !== null && { retry }) }
    return { form, rollout: { phase: 'Rolling', from, to, startedAt: input.now.toISOString() } }
  }
  if (!recorded) {
    // What never served is nothing to go back to.
    const hasServed = input.organization.status?.stateDigest !== undefined
    if (!current || !hasServed || current.inputs === inputs) return { form: made(), rollout: null }
    return begin(current, made())
  }
  const { from, to, phase } = recorded
  if (to.inputs === inputs && to.image === image) {
    const isAskedAgain = phase !== 'Rolling' && retry !== null && retry !== to.retry
    if (isAskedAgain) return begin(from, made())
    return { form: phase === 'Rolling' ? made() : from, rollout: recorded }
  }
  if (from.inputs !== inputs) return begin(from, made())
  return phase === 'RolledBack' ? { form: from, rollout: null } : begin(from, from)
}

/**
 * What the pods are to be where it cannot be told what is chosen, as under a class that the platform took away: what is
 * recorded, or what a rollout is on its way back to.
 * @returns null where nothing is recorded
 */
export function recordedPlan(input: DesiredInput): Plan | null {
  const rollout = recordedRollout(input, input.existing)
  const isBack = rollout !== null && rollout.phase !== 'Rolling'
  const form = isBack ? rollout.from : recordedForm(input, rollout?.to.inputs ?? '')
  return form && { form, rollout }
}

function build(input: DesiredInput, version: string, image: string, inputs: string): Form {
  const labels = { ...storageNodeLabels(input.organizationId), [labelKeys.version]: version }
  return formOf(inputs, { metadata: { labels }, spec: podSpec(input, image) })
}

/**
 * The image of a version. The one that served stays while the version stays: a platform that moves its registry, or a
 * new operator with another digest of the same version, rolls no pod.
 * @throws AppError not-found, ERR_VERSION_UNKNOWN, for a version that neither runs nor has an image
 */
function wantedImage(
  input: DesiredInput,
  version: string,
  rollout: Rollout | null,
  current: Form | null,
): string {
  const served = rollout?.from ?? current
  if (served && versionOf(served) === version) return imageOf(served)
  if (!served && input.existing && newVersion(input) === version) return input.existing.image
  const { images } = input.platform.storageNode
  const image = Object.hasOwn(images, version) ? images[version] : undefined
  if (image !== undefined) return image
  if (rollout && versionOf(rollout.to) === version) return rollout.to.image
  throw new AppError('not-found', 'ERR_VERSION_UNKNOWN', `no image of storage node version "${version}"`)
}
