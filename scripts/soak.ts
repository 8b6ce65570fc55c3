import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { script } from './script.ts'
import { testClusterKind } from './test-cluster.ts'

/**
 * `make soak`: advisories against dependencies, which others publish at any time; the long forms of what `make test` tries
 * shortly: properties with 50 times as many values, others each time; 10,000 crash points of the simulated storage engine, a
 * fault at every step of its life in place of every second, a flipped bit in every byte of its files; 200 kills of a storage
 * node under load, alone and on the cluster of `make up`; ten minutes of Telegraf and twenty of chaos there, a tenant that
 * falls asleep by itself, again and again, and ten tenants that are made one after the other; every edit that the schemas of
 * the kinds give rise to, on an API server. And what only it tries: revoked tokens beside a leader that was stopped and an
 * etcd that was restored; releases by Helm, installed, upgraded and installed again, who applies tenants again and again,
 * and Flux's kustomize-controller, Argo CD's engine and Helm 4, built from source, before a control plane of their own.
 */
const environment = {
  HOLDFAST_CHAOS_MS: String(20 * 60_000),
  HOLDFAST_CHAOS_SEED: process.env['HOLDFAST_CHAOS_SEED'] ?? String(randomInt(2 ** 31)),
  HOLDFAST_CRASH_POINTS: '10000',
  HOLDFAST_EVERY_BYTE: '1',
  HOLDFAST_EVERY_STEP: '1',
  HOLDFAST_IDLE: '1',
  HOLDFAST_EVERY_MISOPERATION: '1',
  HOLDFAST_KILLS: '200',
  HOLDFAST_TELEGRAF_MS: String(10 * 60_000),
  HOLDFAST_TENANT_LIFE: '1',
}

const run = (command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  new Promise<number>((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...env } })
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 1))
  })

await script(async () => {
  process.env['CLUSTER'] = testClusterKind(process.env)
  const seed = process.env['HOLDFAST_TRIES_SEED'] ?? String(randomInt(1, 1_000_000_000))
  console.log(`properties: HOLDFAST_TRIES=50 HOLDFAST_TRIES_SEED=${seed}`)
  process.exitCode =
    (await run(process.execPath, ['scripts/audit-dependencies.ts'])) ||
    (await run(
      'vitest',
      ['run', '--project', 'unit', 'storage-node', 'network-policy', '--testTimeout=600000'],
      {
        HOLDFAST_TRIES: '50',
        HOLDFAST_TRIES_SEED: seed,
      },
    )) ||
    (await run('vitest', ['run', '--project', 'simulation'], environment)) ||
    (await run(
      'vitest',
      ['run', '--project', 'node', 'engine-stops', 'node-kills', 'damage'],
      environment,
    )) ||
    (await run('vitest', ['run', '--project', 'control-plane', 'operator-revocation'], {
      KUBECONFIG: '',
      HOLDFAST_REVOCATION: '1',
    })) ||
    (await run('vitest', ['run', '--project', 'gitops'], { KUBECONFIG: '' })) ||
    (await run('vitest', ['run', '--project', 'control-plane', 'misoperations'], {
      ...environment,
      KUBECONFIG: '',
    })) ||
    (await run(process.execPath, ['scripts/up.ts'])) ||
    (await run(
      'vitest',
      ['run', '--project', 'e2e', 'durability', 'telegraf', 'chaos', 'hibernation', 'tenant-life'],
      environment,
    ))
})
