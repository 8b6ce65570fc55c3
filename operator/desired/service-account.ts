import type { KubeObject } from '../kube/object.ts'
import { runtimeMetadata, type DesiredInput } from './input.ts'

/** The account of every pod in the runtime namespace: without a token, since no storage node calls the API server. */
export function serviceAccount(input: DesiredInput): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: runtimeMetadata(input, 'default'),
    automountServiceAccountToken: false,
  }
}
