import { expect, test } from 'vitest'
import { parseGatewayConfig } from './config.ts'

const good = { HOLDFAST_TLS_DIR: '/tls', HOLDFAST_IDENTITY_DIR: '/identity' }

test('by default one source cannot take all connections', () => {
  const { maxConnections, connectionsPerSource } = parseGatewayConfig({
    HOLDFAST_INSECURE_HTTP: 'true',
    HOLDFAST_IDENTITY_DIR: '/identity',
  })
  expect([maxConnections, connectionsPerSource]).toEqual([2_000, 500])
})

test('what is not set has the documented default, and "" is not set', () => {
  expect(parseGatewayConfig({ ...good, HOLDFAST_BASE_DOMAIN: '' })).toMatchObject({
    listen: { host: '0.0.0.0', port: 8086 },
    metricsListen: { host: '0.0.0.0', port: 9090 },
    clusterDomain: 'cluster.local',
    baseDomain: null,
    tlsDir: '/tls',
    attempts: { perSecond: 100, burst: 500 },
    requests: { perSecond: 2_000, burst: 10_000 },
  })
})

test('plain HTTP is only served when it is asked for by name', () => {
  const { HOLDFAST_IDENTITY_DIR } = good
  expect(() => parseGatewayConfig({ HOLDFAST_IDENTITY_DIR })).toThrow(/HOLDFAST_TLS_DIR: required/)
  expect(() => parseGatewayConfig({ ...good, HOLDFAST_INSECURE_HTTP: 'true' })).toThrow(/which of the two/)
  expect(parseGatewayConfig({ HOLDFAST_IDENTITY_DIR, HOLDFAST_INSECURE_HTTP: 'true' }).tlsDir).toBeNull()
})

test('every wrong variable is named at once', () => {
  const bad = { HOLDFAST_TLS_DIR: '/tls', HOLDFAST_LISTEN: 'nowhere', HOLDFAST_MAX_CONNECTIONS: '-1' }
  expect(() => parseGatewayConfig(bad)).toThrow(
    /HOLDFAST_LISTEN.*HOLDFAST_IDENTITY_DIR.*HOLDFAST_MAX_CONNECTIONS/,
  )
})
