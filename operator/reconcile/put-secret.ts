import { AppError } from '../../common/errors.ts'
import type { KubeObject } from '../kube/object.ts'
import type { Pass } from './pass.ts'

/**
 * Makes a Secret of the runtime namespace what it is to be, in the place of exactly what was read. Labels and annotations
 * of others stay.
 * @param found null if there is none
 * @throws AppError conflict, when somebody else was there meanwhile
 */
export async function putSecret(
  pass: Pass,
  found: KubeObject | null,
  wanted: KubeObject,
): Promise<KubeObject> {
  if (!found) return create(pass, wanted)
  if (found['type'] !== wanted['type'] || found['immutable'] === true) {
    // Neither can be changed. Pods that run have the files that they have until there are new ones.
    await pass.client.delete(found)
    return create(pass, wanted)
  }
  return pass.client.replace({ ...labelled(found, wanted.metadata.labels), data: wanted['data'] })
}

/** The same Secret with these labels, whatever others it has. */
export function labelled(secret: KubeObject, labels: Readonly<Record<string, string>> = {}): KubeObject {
  return { ...secret, metadata: { ...secret.metadata, labels: { ...secret.metadata.labels, ...labels } } }
}

/** One that is there already is somebody's who knew as much: the next look says whether it is good. */
async function create(pass: Pass, secret: KubeObject): Promise<KubeObject> {
  try {
    return await pass.client.create(secret)
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'ERR_KUBE_ALREADY_EXISTS')) throw error
    return secret
  }
}
