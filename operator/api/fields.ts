import * as z from 'zod'
import { durationPattern } from '../../common/duration.ts'
import { idPattern } from '../../common/ids.ts'

/**
 * The field types that the three kinds share. Every text and every list has a limit: the API server refuses CEL
 * rules whose worst case it cannot bound.
 */
export const group = 'holdfast.dev'
export const version = 'v1alpha1'
export const apiVersion = `${group}/${version}`

/** A field that may be left out or null, which is the same. */
export const optional = <Schema extends z.ZodType>(schema: Schema) => schema.nullable().default(null)

/**
 * At most `max` characters as the API server counts them, code points: zod's own limit counts some of them twice, and an
 * Organization that the API server has accepted must be readable.
 */
export const text = (max: number) =>
  z
    .string()
    .refine(
      (value) => value.length <= max || Array.from(value).length <= max,
      `at most ${max} characters expected`,
    )
    .meta({ maxLength: max })

export const duration = () =>
  z
    .string()
    .max(32)
    .regex(new RegExp(durationPattern))
    .describe('Whole numbers with ns, us, ms, s, m, h, d or w, for example 720h or 1h30m, or 0.')

/** What a claim or a class asks for: decimal or binary suffix, no exponent. */
export const quantityPattern = /^[0-9]{1,15}(\.[0-9]{1,3})?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$/
export const quantity = () => z.string().max(24).regex(quantityPattern)

/**
 * A time, RFC 3339. By a pattern and not as `format: date-time`, by which the API server lets a list of anything pass for
 * a text: of such an object not even a status can be written.
 */
export const momentPattern =
  /^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$/
export const moment = () => z.string().max(35).regex(momentPattern)

export const id = () => z.string().regex(idPattern)

const dnsLabel = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
export const objectName = () =>
  z
    .string()
    .min(1)
    .max(253)
    .regex(new RegExp(`^${dnsLabel}(\\.${dnsLabel})*$`))
export const namespaceName = () =>
  z
    .string()
    .min(1)
    .max(63)
    .regex(new RegExp(`^${dnsLabel}$`))

/** Databases and retention policies: any InfluxDB name without "/" or a leading "_", and nothing unprintable. */
export const influxName = () =>
  z
    .string()
    .min(1)
    .max(64)
    .regex(/^[^/_\p{C}][^/\p{C}]*$/u)

export const secretKeyRef = (what: string) =>
  z.object({
    name: objectName().describe(`Name of the Secret, in the namespace of this object, that holds ${what}.`),
    key: z
      .string()
      .min(1)
      .max(253)
      .regex(/^[-._a-zA-Z0-9]+$/)
      .describe('Key within the Secret.'),
  })

export const organizationRef = () =>
  objectName().describe('Name of the Organization, in the same namespace. Cannot be changed.')

export const deletionPolicies = ['Retain', 'Delete'] as const
