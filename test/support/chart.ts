import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { findTools } from '../../local-kubernetes/tools.ts'
import { run } from '../../scripts/run.ts'

const chart = join(import.meta.dirname, '../../charts/holdfast')

/** Values without which the chart refuses to be rendered. */
export const requiredValues = [
  'image.repository=registry.example.com/holdfast',
  String.raw`storageNode.images.0\.1\.0=registry.example.com/node:1`,
]

/**
 * What Helm makes of the chart; `ensureTools` must have been awaited.
 * @param settings as for `helm --set`
 * @throws AppError with Helm's own words for values that it refuses
 */
export async function renderChart<Rendered>(
  settings: readonly string[],
  namespace: string,
): Promise<readonly Rendered[]> {
  const sets = settings.flatMap((setting) => ['--set', setting])
  const args = ['template', 'holdfast', chart, '--namespace', namespace, ...sets]
  const text = await run(findTools().helm, args, { timeoutMs: 60_000 })
  return parseAllDocuments(text).map((document) => document.toJS() as Rendered)
}
