import { isIP } from 'node:net'
import { identity } from '../../common/identity.ts'
import type { CertificateRequest } from './certificates.ts'

/** What the certificates of each role say. */

export function operatorRequest(installationId: string): CertificateRequest {
  return {
    commonName: 'Holdfast operator',
    uris: [identity(installationId, 'operator')],
    dnsNames: [],
    ipAddresses: [],
    // It calls the nodes, and the gateway calls it.
    usages: ['server', 'client'],
  }
}

export function nodeRequest(organizationId: string, dnsNames: readonly string[]): CertificateRequest {
  return {
    commonName: `Holdfast node ${organizationId}`,
    uris: [identity(organizationId, 'node')],
    dnsNames,
    ipAddresses: [],
    // Nodes call nobody: stolen, it is refused before anybody looks whose it is.
    usages: ['server'],
  }
}

export function gatewayRequest(installationId: string): CertificateRequest {
  return {
    commonName: 'Holdfast gateway',
    uris: [identity(installationId, 'gateway')],
    dnsNames: [],
    ipAddresses: [],
    usages: ['client'],
  }
}

export function probeRequest(installationId: string): CertificateRequest {
  return {
    commonName: 'Holdfast isolation probe',
    uris: [identity(installationId, 'probe')],
    dnsNames: [],
    ipAddresses: [],
    usages: ['server'],
  }
}

/** The public certificate carries no identity: it must open no door inside. */
export function serverRequest(hosts: readonly string[]): CertificateRequest {
  return {
    commonName: 'Holdfast',
    uris: [],
    dnsNames: hosts.filter((host) => isIP(host) === 0),
    ipAddresses: hosts.filter((host) => isIP(host) !== 0),
    usages: ['server'],
  }
}
