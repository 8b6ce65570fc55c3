import {
  createAuthority,
  issueCertificate,
  type CertificateRequest,
  type KeyPair,
} from '../../operator/authority/certificates.ts'
import {
  gatewayRequest,
  nodeRequest,
  operatorRequest,
  probeRequest,
  serverRequest,
} from '../../operator/authority/requests.ts'
import type { Issuer, TestIdentity } from './certificates.ts'

const hourMs = 3_600_000
const host = '127.0.0.1'

const requests = {
  node: (id) => nodeRequest(id, []),
  gateway: gatewayRequest,
  operator: operatorRequest,
  probe: probeRequest,
} satisfies Record<string, (id: string) => CertificateRequest>

/** The operator's own authority: certificates are as it makes them, and on loopback. */
export class ProductAuthority implements Issuer {
  readonly #signer: KeyPair

  private constructor(signer: KeyPair) {
    this.#signer = signer
  }

  static async create(installationId: string): Promise<ProductAuthority> {
    return new ProductAuthority(await createAuthority(installationId, Date.now(), hourMs))
  }

  async issue(uri?: string): Promise<TestIdentity> {
    const request = uri === undefined ? serverRequest([]) : requestOf(uri)
    const onLoopback = { ...request, ipAddresses: [host] }
    const pair = await issueCertificate(this.#signer, onLoopback, Date.now(), hourMs)
    return { cert: pair.certificatePem, key: pair.privateKeyPem, ca: this.#signer.certificatePem }
  }
}

function requestOf(uri: string): CertificateRequest {
  const [, id = '', role = ''] = /^holdfast:\/\/([^/]+)\/([a-z]+)$/.exec(uri) ?? []
  if (!(role in requests)) throw new Error(`no request for ${uri}`)
  return requests[role as keyof typeof requests](id)
}
