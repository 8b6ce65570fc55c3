import { describe, expect, test } from 'vitest'
import { readConfig } from './config.ts'

const least = {
  HOLDFAST_NAMESPACE: 'holdfast-system',
  HOLDFAST_POD_NAME: 'operator-0',
  HOLDFAST_PLATFORM_FILE: '/etc/holdfast/platform.yaml',
}

describe('the environment is the configuration, and nothing of it is guessed', () => {
  test('three variables are enough', () => {
    expect(readConfig(least)).toEqual({
      namespace: 'holdfast-system',
      podName: 'operator-0',
      platformFile: '/etc/holdfast/platform.yaml',
      watchNamespaces: [],
      kubeconfig: null,
      metricsListen: { host: '0.0.0.0', port: 9090 },
      wakeListen: null,
      isolation: { probe: null, gateway: null },
      workers: 8,
      logLevel: 'info',
    })
  })

  test.each([
    ['HOLDFAST_WATCH_NAMESPACES', 'a,b', { watchNamespaces: ['a', 'b'] }],
    ['HOLDFAST_METRICS_LISTEN', '[::1]:0', { metricsListen: { host: '::1', port: 0 } }],
    ['HOLDFAST_WAKE_LISTEN', '0.0.0.0:8088', { wakeListen: { host: '0.0.0.0', port: 8088 } }],
    ['HOLDFAST_ISOLATION_PROBE', 'probe.a.svc', { isolation: { probe: 'probe.a.svc' } }],
    [
      'HOLDFAST_ISOLATION_CONTROL',
      'gateway.a.svc:8086',
      { isolation: { gateway: { host: 'gateway.a.svc', port: 8086 } } },
    ],
    ['HOLDFAST_WORKERS', '64', { workers: 64 }],
    ['HOLDFAST_LOG_LEVEL', 'debug', { logLevel: 'debug' }],
  ])('%s=%s', (variable, value, expected) => {
    expect(readConfig({ ...least, [variable]: value })).toMatchObject(expected)
  })

  test.each([
    ['HOLDFAST_WATCH_NAMESPACES', 'a,B'],
    ['HOLDFAST_METRICS_LISTEN', '9090'],
    ['HOLDFAST_METRICS_LISTEN', '0.0.0.0:70000'],
    ['HOLDFAST_WAKE_LISTEN', 'here'],
    ['HOLDFAST_ISOLATION_CONTROL', 'gateway'],
    ['HOLDFAST_WORKERS', '0'],
    ['HOLDFAST_WORKERS', '65'],
    ['HOLDFAST_LOG_LEVEL', 'loud'],
    ['HOLDFAST_NAMESPACE', 'Not A Name'],
  ])('%s=%s is refused by name', (variable, value) => {
    expect(() => readConfig({ ...least, [variable]: value })).toThrow(variable)
  })

  test('all problems are told at once', () => {
    expect(() => readConfig({ HOLDFAST_WORKERS: 'many' })).toThrow(
      /HOLDFAST_NAMESPACE is missing.*HOLDFAST_POD_NAME is missing.*HOLDFAST_PLATFORM_FILE is missing.*HOLDFAST_WORKERS must/,
    )
  })
})
