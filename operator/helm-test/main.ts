import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { systemClock } from '../../common/clock.ts'
import { AppError, messageOf } from '../../common/errors.ts'
import { CredentialSource } from '../kube/credentials.ts'
import { gatewayAnswers, kindsAreServed } from './checks.ts'

/**
 * What `helm test` runs, as a Pod with no rights: whether users could work with this installation now. Each check is tried
 * again until it holds or the time is up, since a release may be seconds old.
 */
const everyMs = 1_000

const url = z.url({ protocol: /^https?$/ })
const environmentSchema = z.object({
  HOLDFAST_GATEWAY_SERVICE: url.describe('address of the gateway inside the cluster, which is called'),
  HOLDFAST_GATEWAY_URL: url.describe('address that clients call'),
  HOLDFAST_GATEWAY_AUTHORITY_FILE: z
    .string()
    .min(1)
    .describe('PEM; not there: the authorities that everybody knows'),
  HOLDFAST_KUBECONFIG: z.string().min(1).optional().describe('to run outside of a cluster'),
  HOLDFAST_TIMEOUT_MS: z.coerce.number().int().min(0).max(600_000).default(60_000),
})

async function main(): Promise<void> {
  const parsed = environmentSchema.safeParse(process.env)
  if (!parsed.success) throw new AppError('invalid', 'ERR_CONFIG', z.prettifyError(parsed.error))
  const config = parsed.data
  const untilMs = systemClock.monotonicMs() + config.HOLDFAST_TIMEOUT_MS
  const credentials = new CredentialSource(config.HOLDFAST_KUBECONFIG, systemClock)
  await holds('the API server serves the kinds', untilMs, async () =>
    kindsAreServed(await credentials.current()),
  )
  await holds('the gateway answers, and lets nobody in without credentials', untilMs, async () => {
    const file = config.HOLDFAST_GATEWAY_AUTHORITY_FILE
    // Mounted when the operator has made it.
    const authorityPem = await readFile(file, 'utf8').catch(() => null)
    const service = new URL(config.HOLDFAST_GATEWAY_SERVICE)
    await gatewayAnswers({ service, url: new URL(config.HOLDFAST_GATEWAY_URL), authorityPem })
  })
}

async function holds(what: string, untilMs: number, check: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await check()
      return console.log(`ok: ${what}`)
    } catch (error) {
      if (systemClock.monotonicMs() >= untilMs)
        throw new AppError('unavailable', 'ERR_HELM_TEST', `not so: ${what}: ${messageOf(error)}`)
    }
    await systemClock.sleep(everyMs)
  }
}

try {
  await main()
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 1
}
