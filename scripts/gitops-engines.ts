import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../common/errors.ts'
import { cached } from './cache.ts'
import { run } from './run.ts'

/** What GitOps tests run beside the operator: the programs themselves, built from their Go modules. */

const env = { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false', GOTOOLCHAIN: 'auto' }

interface Recipe {
  readonly name: string
  readonly module: string
  readonly version: string
  /** The command's folder in the module. */
  readonly folder: string
  /** Modules whose replacement by a folder is dropped: the folder is not in what the proxy gives. */
  readonly dropped?: readonly string[]
  /** What is changed in the source: by file, a text that is there once and what takes its place. */
  readonly changes?: Readonly<Record<string, readonly [string, string]>>
  /** Folders that are kept beside the program. */
  readonly kept?: readonly string[]
}

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

/** Built inside a copy of its module: a program with replacements of its own cannot be built from outside. */
function built(recipe: Recipe): Promise<string> {
  const { name, module, version, folder, dropped = [], changes = {}, kept = [] } = recipe
  return cached(name, [JSON.stringify(recipe), process.arch], async (output) => {
    const copy = join(output, 'source')
    await cp(await download(module, version), copy, { recursive: true })
    await run('chmod', ['-R', 'u+w', copy])
    for (const [file, change] of Object.entries(changes)) await changeOnce(join(copy, file), change)
    const go = (args: readonly string[], progress?: string) =>
      run('go', args, { cwd: copy, env, ...(progress !== undefined && { progress }) })
    for (const replaced of dropped) await go(['mod', 'edit', `-dropreplace=${replaced}`])
    const flags = ['-mod=mod', '-trimpath', '-ldflags', '-s -w', '-o', join(output, name)]
    await go(['build', ...flags, folder], `compiling ${name}: minutes the first time`)
    for (const path of kept) {
      await mkdir(join(output, path), { recursive: true })
      await cp(join(copy, path), join(output, path), { recursive: true })
    }
    await rm(copy, { recursive: true })
  })
}

/** @returns the module's folder, read-only */
async function download(module: string, version: string): Promise<string> {
  const { Dir: source } = JSON.parse(
    await run('go', ['mod', 'download', '-json', `${module}@${version}`], { env }),
  ) as { readonly Dir: string }
  return source
}

async function changeOnce(file: string, [before, after]: readonly [string, string]): Promise<void> {
  const parts = (await readFile(file, 'utf8')).split(before)
  if (parts.length !== 2)
    throw new AppError('internal', 'ERR_GITOPS_ENGINES', `${file} does not say ${before} once`)
  await writeFile(file, parts.join(after))
}
