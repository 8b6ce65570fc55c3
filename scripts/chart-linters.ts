import { join } from 'node:path'
import { built, type Recipe } from './go-programs.ts'

/** What the chart's tests run: scanners that platforms run over what they install. */

const kubeScore: Recipe = {
  name: 'kube-score',
  module: 'github.com/zegl/kube-score',
  version: 'v1.20.0',
  folder: './cmd/kube-score',
}

const kubeconform: Recipe = {
  name: 'kubeconform',
  module: 'github.com/yannh/kubeconform',
  version: 'v0.8.0',
  folder: './cmd/kubeconform',
}

/** @returns path of the program */
export async function ensureKubeScore(): Promise<string> {
  return join(await built(kubeScore), kubeScore.name)
}

/** @returns path of the program */
export async function ensureKubeconform(): Promise<string> {
  return join(await built(kubeconform), kubeconform.name)
}
