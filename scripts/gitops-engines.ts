import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from './cache.ts'
import { built, download, type Recipe } from './go-programs.ts'

/** What GitOps tests run beside the operator: the programs themselves, built from their Go modules. */

/** Flux's: applies what a source brings, waits, prunes. Its own fetcher of git cannot be built from the module proxy. */
const kustomizeController: Recipe = {
  name: 'kustomize-controller',
  module: 'github.com/fluxcd/kustomize-controller',
  version: 'v1.7.3',
  folder: '.',
  dropped: ['github.com/fluxcd/kustomize-controller/api'],
  kept: ['config/crd/bases'],
}

/** Only its definitions are taken. */
const sourceController = { module: 'github.com/fluxcd/source-controller', version: 'v1.9.6' }

/** The engine in Argo CD, with the small agent that comes with it. It would listen on all addresses of the machine. */
const argoAgent: Recipe = {
  name: 'gitops-agent',
  module: 'github.com/argoproj/gitops-engine',
  version: 'v0.7.3',
  folder: './agent',
  changes: { 'agent/main.go': ['"0.0.0.0:%d"', '"127.0.0.1:%d"'] },
}

/** The Lua in which Argo CD runs health checks. */
const lua: Recipe = {
  name: 'glua',
  module: 'github.com/yuin/gopher-lua',
  version: 'v1.1.1',
  folder: './cmd/glua',
}

const helm4: Recipe = { name: 'helm', module: 'helm.sh/helm/v4', version: 'v4.3.1', folder: './cmd/helm' }

export interface Flux {
  readonly program: string
  /** Folders of CustomResourceDefinitions. */
  readonly definitions: readonly string[]
}

export async function ensureFlux(): Promise<Flux> {
  const folder = await built(kustomizeController)
  const { module, version } = sourceController
  const sources = await cached('flux-definitions', [module, version], async (output) => {
    await cp(join(await download(module, version), 'config/crd/bases'), join(output, 'crds'), {
      recursive: true,
    })
  })
  return {
    program: join(folder, kustomizeController.name),
    definitions: [join(folder, 'config/crd/bases'), join(sources, 'crds')],
  }
}

/** @returns path of the program */
export async function ensureArgoAgent(): Promise<string> {
  return join(await built(argoAgent), argoAgent.name)
}

/** @returns path of the program */
export async function ensureLua(): Promise<string> {
  return join(await built(lua), lua.name)
}

/** @returns path of the program */
export async function ensureHelm4(): Promise<string> {
  return join(await built(helm4), helm4.name)
}
