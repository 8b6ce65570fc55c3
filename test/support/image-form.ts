import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readDockerfile } from '../../scripts/dockerfile.ts'
import { ensureDuckdbExtension } from '../../scripts/duckdb-extension.ts'
import { bundleProgram } from '../../scripts/image-programs.ts'
import { nodeBinary } from '../../scripts/image-root.ts'

/** How a program is started: the command line up to its own flags, and the environment. */
export interface Form {
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

const root = join(import.meta.dirname, '../..')

const sources = {
  'storage-node': 'storage-node/main.ts',
  'query-process': 'storage-node/query-process/main.ts',
  gateway: 'gateway/main.ts',
  operator: 'operator/main.ts',
} as const

/**
 * A program as its image holds it: the same bundles, the flags and the environment of the Dockerfile, with `folder` in
 * place of `/app`, and this machine's system libraries.
 */
export async function imageForm(
  program: 'storage-node' | 'gateway' | 'operator',
  folder: string,
): Promise<Form> {
  const isNode = program === 'storage-node'
  const file = isNode ? 'storage-node.Dockerfile' : 'Dockerfile'
  const { entrypoint, env } = readDockerfile(await readFile(join(root, file), 'utf8'))
  await mkdir(join(folder, 'extensions'), { recursive: true })
  await writeFile(join(folder, 'package.json'), '{"type":"module"}\n')
  await symlink(nodeBinary, join(folder, 'node'))
  if (isNode) {
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
    await symlink(await ensureDuckdbExtension(), join(folder, 'extensions/httpfs.duckdb_extension'))
  }
  for (const name of isNode ? (['storage-node', 'query-process'] as const) : [program]) {
    const { code } = await bundleProgram({ name, source: sources[name], bans: [] })
    await writeFile(join(folder, `${name}.js`), code)
  }
  const placed = (text: string): string => text.replace(/^\/app(?=\/)/, folder)
  return {
    command: [...entrypoint.map(placed), join(folder, `${program}.js`)],
    environment: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, placed(value)])),
  }
}
