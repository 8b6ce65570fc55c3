import * as z from 'zod'
import { runtimeNamespace } from '../../common/ids.ts'
import { canonicalJson } from '../../common/state-document.ts'
import type { ExistingStorageNodes } from '../desired/input.ts'
import { setAsideSecret } from '../desired/secrets.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { secretNames, setAsideField } from '../naming/names.ts'
import type { Pass } from './pass.ts'

/**
 * What of a StatefulSet must not change is read from the live one. While it is replaced there is none, so this is set
 * aside before it goes, with the size that the next one is to have, and taken away when that one stands. Loose: what a
 * later operator adds is no reason for an older one that takes over to make the StatefulSet anew.
 */
const recordSchema = z.looseObject({
  version: z.string().nullable(),
  image: z.string(),
  restartedAt: z.string().nullable().default(null),
  claim: z.looseObject({ size: z.string(), storageClassName: z.string().nullable() }),
  template: z
    .looseObject({ text: z.string(), inputs: z.string().nullable().default(null), mac: z.string() })
    .nullable(),
  rollout: z.looseObject({ text: z.string(), mac: z.string() }).nullable().default(null),
})

/** @returns null where nothing is set aside, or nothing that can be read: then the StatefulSet is made anew */
export async function recallSetAside(
  pass: Pass,
  organizationId: string,
): Promise<ExistingStorageNodes | null> {
  const secret = await read(pass, organizationId)
  return secret && recordOf(secret)
}

/** @throws AppError as `KubeClient.create` and `KubeClient.replace` */
export async function setAside(
  pass: Pass,
  organizationId: string,
  nodes: ExistingStorageNodes,
): Promise<void> {
  const text = canonicalJson(nodes)
  const wanted = setAsideSecret(organizationId, text)
  const secret = await read(pass, organizationId)
  if (!secret) await pass.client.create(wanted)
  else if (canonicalJson(recordOf(secret)) !== text)
    await pass.client.replace({ ...secret, data: wanted['data'] })
}

/** Whether exactly this is set aside. */
export async function isSetAside(
  pass: Pass,
  organizationId: string,
  nodes: ExistingStorageNodes,
): Promise<boolean> {
  return canonicalJson(await recallSetAside(pass, organizationId)) === canonicalJson(nodes)
}

export async function dropSetAside(pass: Pass, organizationId: string): Promise<void> {
  const secret = await read(pass, organizationId)
  if (secret) await pass.client.delete(secret)
}

function read(pass: Pass, organizationId: string): Promise<KubeObject | null> {
  const namespace = runtimeNamespace(organizationId)
  return pass.client.get(resources.secrets, { namespace, name: secretNames.setAside })
}

function recordOf(secret: KubeObject): ExistingStorageNodes | null {
  const data = secret['data'] as Readonly<Record<string, string>> | undefined
  try {
    return recordSchema.parse(JSON.parse(Buffer.from(data?.[setAsideField] ?? '', 'base64').toString('utf8')))
  } catch {
    return null
  }
}
