import { describe, expect, test } from 'vitest'
import { parsePlatformFile, platformOf } from './platform-file.ts'

const file = `
operatorNamespace: holdfast-system
storageNode: { images: { "0.1.0": example/node:0.1.0 }, defaultVersion: "0.1.0" }
gateway:
  url: https://gateway.example
  tlsSecretName: holdfast-gateway-tls
  issueCertificate: true
  hosts: [gateway.example]
`

describe('the chart’s file is the platform, checked whole', () => {
  test('what the chart leaves out has its default', () => {
    const parsed = parsePlatformFile(file)
    expect(parsed).toMatchObject({
      clusterDomain: 'cluster.local',
      operatorServiceAccount: 'holdfast-operator',
    })
    expect(parsed.classes['standard']?.versions).toEqual([])
    expect(parsed.certificates).toEqual({ lifetime: '8760h', authorityLifetime: '87600h' })
  })

  test.each([
    ['https://gateway.example', 443],
    ['http://gateway.example', 80],
    ['https://gateway.example:8086', 8086],
  ])('%s is port %i', (url, port) => {
    const parsed = parsePlatformFile(file.replace('https://gateway.example\n', `${url}\n`))
    const platform = platformOf(parsed, 'a'.repeat(16), null)
    expect(platform.gateway).toEqual({ url, host: 'gateway.example', port })
  })

  test('clients are told the authority only where it is not a public one', () => {
    const platform = platformOf(parsePlatformFile(file), 'a'.repeat(16), 'PEM')
    expect(platform.gateway.caCertificate).toBe('PEM')
    expect(platform.installationId).toBe('a'.repeat(16))
  })

  test.each([
    ['not YAML', '{', 'not YAML'],
    ['an unknown field', `${file}\nextra: 1\n`, 'extra'],
    ['no image of the default version', file.replace('"0.1.0": ex', '"0.2.0": ex'), 'storageNode'],
    ['a gateway that is no address', file.replace('https://gateway.example\n', 'gateway\n'), 'gateway.url'],
  ])('%s is refused by name', (_what, text, words) => {
    expect(() => parsePlatformFile(text)).toThrow(words)
  })
})
