import { randomUUID } from 'node:crypto'
import { mkdir, rename, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cacheFolder } from '../scripts/cache.ts'
import type { Progress } from '../scripts/run.ts'
import { buildPrograms, findProgram } from './programs.ts'

/** The clients of a cluster that is not our own. */
export interface Tools {
  readonly kubectl: string
  readonly helm: string
}

/** Where `ensureTools` leaves what is not installed. */
const builtTool = (name: string) => join(cacheFolder(), 'bin', name)

/** The installed kubectl and Helm; for what is not installed, the place where `ensureTools` puts it. */
export function findTools(): Tools {
  return {
    kubectl: findProgram('kubectl') ?? builtTool('kubectl'),
    helm: findProgram('helm') ?? builtTool('helm'),
  }
}

/** Builds kubectl and Helm if one of them is not installed; what an earlier version built is replaced. */
export async function ensureTools(progress: Progress): Promise<void> {
  const missing = ['kubectl', 'helm'].filter((name) => findProgram(name) === undefined)
  if (missing.length === 0) return
  const programs = await buildPrograms(progress)
  await mkdir(dirname(builtTool('helm')), { recursive: true })
  for (const name of missing) {
    const draft = `${builtTool(name)}.draft-${randomUUID()}`
    await symlink(join(programs, name === 'kubectl' ? 'kube' : name), draft)
    await rename(draft, builtTool(name))
  }
}
