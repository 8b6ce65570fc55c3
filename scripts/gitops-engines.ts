import { cp, readFile, rm, writeFile } from 'node:fs/promises'
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
  /** What is changed in the source: by file, a text that is there once and what takes its place. */
  readonly changes?: Readonly<Record<string, readonly [string, string]>>
}

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

/** @returns path of the program */
export async function ensureArgoAgent(): Promise<string> {
  return join(await built(argoAgent), argoAgent.name)
}

/** @returns path of the program */
export async function ensureLua(): Promise<string> {
  return join(await built(lua), lua.name)
}

/** Built inside a copy of its module: a program with replacements of its own cannot be built from outside. */
function built(recipe: Recipe): Promise<string> {
  const { name, module, version, folder, changes = {} } = recipe
  return cached(name, [JSON.stringify(recipe), process.arch], async (output) => {
    const copy = join(output, 'source')
    await cp(await download(module, version), copy, { recursive: true })
    await run('chmod', ['-R', 'u+w', copy])
    for (const [file, change] of Object.entries(changes)) await changeOnce(join(copy, file), change)
    const flags = ['-mod=mod', '-trimpath', '-ldflags', '-s -w', '-o', join(output, name)]
    const progress = `compiling ${name}: minutes the first time`
    await run('go', ['build', ...flags, folder], { cwd: copy, env, progress })
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
