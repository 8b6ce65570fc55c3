import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bundleProgram } from './image-programs.ts'
import { script } from './script.ts'

/** `npm run plugin -- FOLDER`: the kubectl plugin as one file, which runs with Node 24; put it on the PATH. */
const plugin = {
  name: 'kubectl-holdfast',
  source: 'plugin/main.ts',
  bans: [{ packages: /node_modules\/@/, why: 'whoever asks has kubectl, and needs no client besides' }],
}

/** @returns the path of the program */
export async function writePlugin(folder: string): Promise<string> {
  const { code } = await bundleProgram(plugin)
  await mkdir(folder, { recursive: true })
  const path = join(folder, plugin.name)
  await writeFile(path, `#!/usr/bin/env node\n${Buffer.from(code).toString('utf8')}`, { mode: 0o755 })
  return path
}

if (import.meta.main) {
  await script(async () => console.log(await writePlugin(process.argv[2] ?? 'dist')))
}
