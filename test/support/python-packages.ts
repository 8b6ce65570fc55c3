import { cached } from '../../scripts/cache.ts'
import { run } from '../../scripts/run.ts'
import { ensurePrograms } from '../../scripts/system-packages.ts'

/** Packages of Python with what they need, apart from the system's own. @returns folder for PYTHONPATH */
export function ensurePythonPackages(name: string, packages: readonly string[]): Promise<string> {
  return cached(name, packages, async (output) => {
    await ensurePrograms(['pip'])
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', output, ...packages])
  })
}
