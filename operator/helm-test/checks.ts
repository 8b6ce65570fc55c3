import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { Agent, request, type Dispatcher } from 'undici'
import * as z from 'zod'
import { AppError } from '../../common/errors.ts'
import { kinds } from '../api/crd.ts'
import { group, version } from '../api/fields.ts'
import type { Credentials } from '../kube/credentials.ts'

/** No check waits longer for a connection or an answer. */
const timeoutMs = 10_000
const maxResponseSize = 1024 * 1024

const discoverySchema = z.object({ resources: z.array(z.object({ name: z.string() })) })

/** @throws AppError unavailable, ERR_HELM_TEST, naming what the API server does not serve; what a connection meets */
export async function kindsAreServed({ origin, pathPrefix, headers, tls }: Credentials): Promise<void> {
  const dispatcher = agent(tls)
  try {
    const answer = await ask(dispatcher, `${origin}${pathPrefix}/apis/${group}/${version}`, headers)
    if (answer.status !== 200)
      throw failure(
        `the API server answers ${answer.status} for ${group}/${version}: are the CRDs installed?`,
      )
    const served = discoverySchema.parse(JSON.parse(answer.text)).resources.map(({ name }) => name)
    const wanted = kinds.flatMap(({ plural }) => [plural, `${plural}/status`])
    const missing = wanted.filter((name) => !served.includes(name))
    if (missing.length > 0)
      throw failure(`the API server serves no ${missing.join(', ')} in ${group}/${version}`)
  } finally {
    await dispatcher.destroy()
  }
}

export interface GatewayAddress {
  /** Its Service inside the cluster, which is called. */
  readonly service: URL
  /** What clients call. A certificate of the platform's own may name that alone. */
  readonly url: URL
  /** PEM of what its certificate is checked against; null for the authorities that everybody knows. */
  readonly authorityPem: string | null
}

/**
 * The gateway answers, shows a certificate that clients accept, and lets nobody in without credentials.
 * @throws AppError unavailable, ERR_HELM_TEST, saying what it answers; what a connection meets
 */
export async function gatewayAnswers({ service, url, authorityPem }: GatewayAddress): Promise<void> {
  const dispatcher = agent({
    ...(authorityPem !== null && { ca: authorityPem }),
    checkServerIdentity: (_name: string, certificate: PeerCertificate) => {
      const errors = [service, url].map(({ hostname }) => checkServerIdentity(hostname, certificate))
      return errors.every((error) => error !== undefined) ? errors[0] : undefined
    },
  })
  try {
    for (const [path, wanted] of [
      ['/ping', 204],
      ['/query?q=SHOW%20DATABASES', 401],
    ] as const) {
      const { status } = await ask(dispatcher, new URL(path, service).href)
      if (status !== wanted)
        throw failure(`the gateway answers ${status} to ${path}, where ${wanted} is right`)
    }
  } finally {
    await dispatcher.destroy()
  }
}

function agent(tls: object): Agent {
  return new Agent({
    connect: { timeout: timeoutMs, ...tls },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize,
  })
}

async function ask(dispatcher: Dispatcher, url: string, headers: Readonly<Record<string, string>> = {}) {
  const { statusCode, body } = await request(url, { dispatcher, headers })
  return { status: statusCode, text: await body.text() }
}

const failure = (message: string): AppError => new AppError('unavailable', 'ERR_HELM_TEST', message)
