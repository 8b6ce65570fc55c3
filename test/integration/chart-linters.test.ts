import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ensureTools } from '../../local-kubernetes/tools.ts'
import { ensureKubeconform, ensureKubeScore } from '../../scripts/chart-linters.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { renderChart, requiredValues } from '../support/chart.ts'
import { ApiServer } from './api-server.ts'
import { writeSchemas } from './open-api-schemas.ts'

// What the scanners say that platforms run over a chart before they install it: kubeconform finds nothing, and what
// kube-score finds is explained in docs/install.md, row by row, with no row for what it does not find.

const kubeconfig = process.env['KUBECONFIG']
const namespace = 'holdfast-system'
const forms = {
  'as it is': [],
  'with everything': [
    'deletionProtection.enabled=true',
    'operator.watchNamespaces={marketing,default}',
    'operator.replicas=3',
    'gateway.service.type=LoadBalancer',
    'gateway.tls.secretName=ours',
    'networkPolicies.metricsFrom[0].podSelector.matchLabels.app=prometheus',
    'tenantLimits.organizations=1',
  ],
} as const

const run = promisify(execFile)

/** What a program says, whatever it ends with. */
async function outputOf(program: string, args: readonly string[]): Promise<string> {
  const limits = { timeout: 60_000, maxBuffer: 64 * 1024 * 1024 }
  try {
    return (await run(program, args, limits)).stdout
  } catch (error) {
    const { stdout, stderr, code } = error as { stdout?: string; stderr?: string; code?: unknown }
    if (code !== 1 || stdout === undefined || stdout === '') throw new Error(stderr ?? '', { cause: error })
    return stdout
  }
}

let folder: string
beforeAll(async () => {
  await ensureTools((line) => console.log(line))
  folder = await mkdtemp(join(tmpdir(), 'holdfast-chart-linters-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function rendered(settings: readonly string[]): Promise<readonly KubeObject[]> {
  const objects = await renderChart<KubeObject | null>([...requiredValues, ...settings], namespace)
  return objects.filter((object) => object !== null)
}

async function fileOf(name: string, objects: readonly KubeObject[]): Promise<string> {
  const file = join(folder, `${name.replaceAll(' ', '-')}.yaml`)
  await writeFile(
    file,
    objects.map((object) => stringify(object, { aliasDuplicateObjects: false })).join('---\n'),
  )
  return file
}

describe.skipIf(kubeconfig === undefined)('kubeconform, by the schemas of the API server', () => {
  interface Report {
    readonly resources: readonly { readonly status: string; readonly msg: string }[]
    readonly summary: { readonly valid: number }
  }
  let program: string
  let schemas: string
  let kinds: number

  beforeAll(async () => {
    program = await ensureKubeconform()
    const server = await ApiServer.open(kubeconfig!)
    const { body } = await server.send('GET', '/openapi/v2')
    await server.close()
    schemas = join(folder, 'schemas')
    kinds = await writeSchemas(body, schemas)
  })

  async function findings(name: string, objects: readonly KubeObject[]): Promise<Report> {
    const location = join(schemas, '{{.ResourceKind}}{{.KindSuffix}}.json')
    const args = ['-strict', '-summary', '-output', 'json', '-schema-location', location]
    return JSON.parse(await outputOf(program, [...args, await fileOf(name, objects)])) as Report
  }

  test.each(Object.entries(forms))('finds nothing in the chart %s', async (name, settings) => {
    const objects = await rendered(settings)
    expect(kinds).toBeGreaterThan(100)
    expect(objects.length).toBeGreaterThan(15)
    const { resources, summary } = await findings(name, objects)
    expect(resources).toEqual([])
    expect(summary.valid).toBe(objects.length)
  })

  test('finds a field that there is not, wherever it stands', async () => {
    const [deployment] = (await rendered([])).filter(({ kind }) => kind === 'Deployment')
    const text = JSON.stringify(deployment).replace('"readOnlyRootFilesystem"', '"readOnlyRoot"')
    const { resources } = await findings('wrong', [JSON.parse(text) as KubeObject])
    expect(resources.map(({ status, msg }) => `${status} ${msg}`).join()).toMatch(/Invalid .*readOnlyRoot/)
  })
})

describe('kube-score', () => {
  interface Scored {
    readonly object_name: string
    readonly checks: readonly {
      readonly check: { readonly id: string }
      readonly grade: number
      readonly skipped: boolean
    }[]
  }
  let program: string
  beforeAll(async () => {
    program = await ensureKubeScore()
  })

  async function findings(name: string, objects: readonly KubeObject[]): Promise<readonly string[]> {
    const args = ['score', '--output-format', 'json', await fileOf(`score ${name}`, objects)]
    const scored = JSON.parse(await outputOf(program, args)) as readonly Scored[]
    return scored.flatMap(({ object_name: of, checks }) =>
      checks
        .filter(({ grade, skipped }) => !skipped && grade < 10)
        .map(({ check }) => `${check.id} ${of.split('/').at(-1)}`),
    )
  }

  /** Rows `| `check` | `object`, `object` | why |` of the documentation. */
  async function explained(): Promise<readonly string[]> {
    const text = await readFile(join(import.meta.dirname, '../../docs/install.md'), 'utf8')
    const table = text.slice(text.indexOf('| kube-score says |')).split('\n\n')[0]!
    return table
      .split('\n')
      .slice(2)
      .flatMap((row) => {
        const [, check = '', objects = '', why = ''] = row.split('|').map((cell) => cell.trim())
        expect(why.length, row).toBeGreaterThan(20)
        return [...objects.matchAll(/`([^`]+)`/g)].map(([, of]) => `${check.replaceAll('`', '')} ${of}`)
      })
  }

  test.each(Object.entries(forms))(
    'says nothing of the chart %s that is not explained',
    async (name, settings) => {
      const found = await findings(name, await rendered(settings))
      expect(found.toSorted()).toEqual((await explained()).toSorted())
    },
  )

  test('says something of what is wrong', async () => {
    const [deployment] = (await rendered([])).filter(({ kind }) => kind === 'Deployment')
    const text = JSON.stringify(deployment).replace('"readOnlyRootFilesystem":true,', '')
    expect((await findings('wrong', [JSON.parse(text) as KubeObject])).join()).toContain(
      'container-security-context-readonlyrootfilesystem',
    )
  })
})
