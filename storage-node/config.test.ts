import { describe, expect, test } from 'vitest'
import { parseNodeConfig } from './config.ts'

const alone = ['--data', '/data', '--duckdb-extension', '/httpfs']
const cluster = {
  HOLDFAST_ORGANIZATION_ID: 'aaaaaaaaaaaaaaaa',
  HOLDFAST_INSTALLATION_ID: 'cccccccccccccccc',
  HOLDFAST_DATA_DIR: '/data',
  HOLDFAST_TLS_DIR: '/tls',
  HOLDFAST_DATA_KEY_FILE: '/key/data-key',
  HOLDFAST_DUCKDB_EXTENSION: '/httpfs',
  HOLDFAST_MEMORY_LIMIT_BYTES: '268435456',
}

describe('a node knows from its configuration whether it is alone, and is never open by mistake', () => {
  test('alone: loopback, authentication on, the key beside the data', () => {
    expect(parseNodeConfig(alone, {})).toMatchObject({
      mode: 'alone',
      listen: { host: '127.0.0.1', port: 8086 },
      authentication: true,
      tlsDir: null,
      dataKeyFile: '/data.key',
      auditKeyFile: null,
    })
    expect(
      parseNodeConfig([...alone, '--auth', 'off', '--key-file', '/k', '--audit-key', '/a'], {}),
    ).toMatchObject({
      authentication: false,
      dataKeyFile: '/k',
      auditKeyFile: '/a',
    })
  })

  test('plain HTTP beyond loopback has to be meant', () => {
    const open = [...alone, '--listen', '0.0.0.0:8086']
    expect(() => parseNodeConfig(open, {})).toThrow(/--listen.*--insecure/)
    expect(parseNodeConfig([...open, '--insecure'], {})).toMatchObject({ tlsDir: null })
    expect(parseNodeConfig([...open, '--tls-dir', '/tls'], {})).toMatchObject({ tlsDir: '/tls' })
  })

  test('metrics of a node alone: nowhere unless asked for, and beyond loopback only if that is meant', () => {
    expect(parseNodeConfig(alone, {})).toMatchObject({ metricsListen: null })
    const local = [...alone, '--metrics-listen', '127.0.0.1:9090']
    expect(parseNodeConfig(local, {})).toMatchObject({ metricsListen: { host: '127.0.0.1', port: 9090 } })
    const open = [...alone, '--tls-dir', '/tls', '--metrics-listen', '0.0.0.0:9090']
    expect(() => parseNodeConfig(open, {})).toThrow(/--metrics-listen.*--insecure/)
    expect(parseNodeConfig([...open, '--insecure'], {})).toMatchObject({
      metricsListen: { host: '0.0.0.0' },
    })
  })

  test('a cluster node from its environment', () => {
    expect(parseNodeConfig([], cluster)).toMatchObject({
      mode: 'cluster',
      organizationId: 'aaaaaaaaaaaaaaaa',
      installationId: 'cccccccccccccccc',
      listen: { host: '0.0.0.0', port: 8086 },
      adminListen: { host: '0.0.0.0', port: 8087 },
      memoryLimitBytes: 268_435_456,
    })
  })

  test('on a cluster authentication cannot be turned off', () => {
    expect(() => parseNodeConfig(['--auth', 'off'], cluster)).toThrow(/--auth.*always on/)
  })

  test('every wrong setting is named at once', () => {
    const bad = { ...cluster, HOLDFAST_TLS_DIR: '', HOLDFAST_LISTEN: 'x', HOLDFAST_INSTALLATION_ID: 'X' }
    expect(() => parseNodeConfig([], bad)).toThrow(
      /HOLDFAST_INSTALLATION_ID.*HOLDFAST_LISTEN.*HOLDFAST_TLS_DIR\): required/,
    )
    expect(() => parseNodeConfig(['--nonsense'], {})).toThrow(/nonsense/)
  })
})
