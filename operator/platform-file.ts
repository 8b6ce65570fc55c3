import { parse } from 'yaml'
import * as z from 'zod'
import { durationMs } from '../common/duration.ts'
import { AppError, messageOf } from '../common/errors.ts'
import { duration } from './api/fields.ts'
import { platformSchema, type Platform } from './api/platform.ts'

const shortestLifetimeMs = 10_000

/**
 * The file that the chart writes for the operator: what `operator/api/platform.ts` says, with the gateway as the
 * chart knows it. What the operator finds out by itself, the installation's id and the authority's certificate, is
 * added to it.
 */
const platformFileSchema = platformSchema.omit({ installationId: true, gateway: true }).extend({
  gateway: z.strictObject({
    url: z.url({ protocol: /^https?$/ }).describe('Address that clients use.'),
    tlsSecretName: z.string().min(1).describe('Secret with the public server certificate.'),
    issueCertificate: z.boolean().describe('Whether the operator issues that certificate.'),
    hosts: z.array(z.string().min(1).max(253)).max(100).describe('Names and addresses that it is for.'),
  }),
  certificates: z
    .strictObject({
      lifetime: duration()
        .default('8760h')
        .describe('Of what the operator issues; renewed when 60 to 67 % of it are over.'),
      authorityLifetime: duration()
        .default('87600h')
        .describe('Of the authority; both are trusted for a third of it when it is renewed.'),
    })
    .refine(({ lifetime }) => durationMs(lifetime) >= shortestLifetimeMs, {
      path: ['lifetime'],
      message: 'at least 10s expected, and hours where a kubelet brings certificates to their pods',
    })
    .refine(({ lifetime, authorityLifetime }) => durationMs(authorityLifetime) >= 6 * durationMs(lifetime), {
      path: ['authorityLifetime'],
      message: 'at least six times the lifetime expected',
    })
    .prefault({}),
})

export type PlatformFile = z.infer<typeof platformFileSchema>

/** @throws AppError invalid, ERR_PLATFORM_FILE, that names every field that is wrong */
export function parsePlatformFile(text: string): PlatformFile {
  let content: unknown
  try {
    content = parse(text)
  } catch (error) {
    throw new AppError('invalid', 'ERR_PLATFORM_FILE', `platform file is not YAML: ${messageOf(error)}`)
  }
  const parsed = platformFileSchema.safeParse(content)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || '(whole)'}: ${message}`,
  )
  throw new AppError('invalid', 'ERR_PLATFORM_FILE', `platform file: ${problems.join('; ')}`)
}

/**
 * The platform as passes see it.
 * @param caCertificate PEM that clients of the gateway must trust, null if theirs is a public authority
 */
export function platformOf(
  file: PlatformFile,
  installationId: string,
  caCertificate: string | null,
): Platform {
  const url = new URL(file.gateway.url)
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  return {
    ...file,
    installationId,
    gateway: {
      url: file.gateway.url,
      host: url.hostname,
      port,
      ...(caCertificate === null ? {} : { caCertificate }),
    },
  }
}
