import { X509Certificate } from 'node:crypto'
import { readFile, realpath } from 'node:fs/promises'
import path from 'node:path'
import { createSecureContext } from 'node:tls'
import { AppError } from './errors.ts'
import { tlsOptions, type TlsMaterial } from './tls.ts'

/** Where Kubernetes puts the files of a mounted Secret: a symbolic link to a folder that holds all of one version. */
const dataLink = '..data'

/** `tls.crt`, tls.key and, if asked for, ca.crt. Of a mounted Secret all are of one version: the link is followed once. */
export async function readTlsFiles(
  directory: string,
  withAuthority: boolean,
  version: string | null,
): Promise<TlsMaterial> {
  const folder = version ?? directory
  const [certificate, key, authority] = await Promise.all([
    readFile(path.join(folder, 'tls.crt')),
    readFile(path.join(folder, 'tls.key')),
    withAuthority ? readFile(path.join(folder, 'ca.crt')) : null,
  ])
  return { certificate, key, authority }
}

/** @returns the folder with the version of a mounted Secret that is to be seen now, null for any other folder */
export async function mountedVersion(directory: string): Promise<string | null> {
  try {
    return await realpath(path.join(directory, dataLink))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/** @throws an error that says what does not fit together, and holds nothing of the key */
export function requireFit(material: TlsMaterial): void {
  createSecureContext(tlsOptions(material))
}

/**
 * Why new files are no better than those in force, null if they are: a certificate that peers would refuse.
 * @param nowMs the clock on the wall, milliseconds
 */
export function materialProblem({ certificate, authority }: TlsMaterial, nowMs: number): AppError | null {
  const own = new X509Certificate(certificate)
  if (own.validToDate.getTime() <= nowMs) return refused('the certificate has ended')
  // Made by a clock that is ahead: its time comes, and it is looked at again.
  if (own.validFromDate.getTime() > nowMs) return refused('the certificate is not valid yet')
  if (authority === null) return null
  const isIssued = certificatesOf(authority).some(
    (trusted) => own.checkIssued(trusted) && own.verify(trusted.publicKey),
  )
  return isIssued ? null : refused('the certificate is of no authority in ca.crt')
}

const refused = (what: string): AppError => new AppError('invalid', 'ERR_TLS_FILES', what)

const pemPattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

function certificatesOf(authority: Buffer): readonly X509Certificate[] {
  return (authority.toString('latin1').match(pemPattern) ?? []).map((pem) => new X509Certificate(pem))
}

export const certificateEndMs = ({ certificate }: TlsMaterial): number =>
  new X509Certificate(certificate).validToDate.getTime()
