import { hibernationOf, isToSleep } from '../api/hibernation.ts'
import type { KubeObject } from '../kube/object.ts'
import { labelKeys, storageNodeLabels, storageNodeSelector } from '../naming/labels.ts'
import { storageNode, volumeClaim } from '../naming/names.ts'
import { restartedAnnotation } from './existing.ts'
import { classOf, runtimeMetadata, type DesiredInput } from './input.ts'
import { rolloutRecord, type Plan } from './rollout.ts'
import { formAnnotations, templateOf, versionOf, type Part } from './template.ts'
import { firstTemplateSize } from './volume-size.ts'

/**
 * The storage nodes. Values that the API server would fill in are written out where they matter, so that what is stored
 * can be compared with what is asked for.
 */
export function statefulSet(input: DesiredInput, { form, rollout }: Plan): KubeObject {
  const { spec } = input.organization
  const labels = {
    ...storageNodeLabels(input.organizationId),
    [labelKeys.version]: versionOf(form),
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: {
      ...runtimeMetadata(input, storageNode, labels),
      annotations: { ...formAnnotations(input, form), ...rolloutRecord(input, rollout) },
    },
    spec: {
      replicas: isToStop(input) ? 0 : spec.storage.replicas,
      serviceName: storageNode,
      // Replicas do not wait for each other: a node may need its peers to become ready.
      podManagementPolicy: 'Parallel',
      revisionHistoryLimit: 5,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      // Volumes go only by the operator's explicit act, after deletionPolicy has been asked.
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      selector: { matchLabels: storageNodeSelector },
      template: templateWith(templateOf(form), input.existing?.restartedAt ?? null),
      volumeClaimTemplates: [claimTemplate(input)],
    },
  }
}

/** What somebody else's restart says of the pods stays said: without it they would be others, and be replaced. */
function templateWith(template: Part, restartedAt: string | null): Part {
  if (restartedAt === null) return template
  const metadata = template['metadata'] as Part
  return { ...template, metadata: { ...metadata, annotations: { [restartedAnnotation]: restartedAt } } }
}

/** No pod that runs is taken away before status says so: whoever comes after this process must know that it must wake. */
function isToStop({ organization, existing }: DesiredInput): boolean {
  return isToSleep(organization) && (existing === null || hibernationOf(organization) !== null)
}

/** A claim template cannot change: what is there is repeated, growth goes to the claims themselves. */
function claimTemplate(input: DesiredInput): Readonly<Record<string, unknown>> {
  const { size, storageClassName } = input.existing?.claim ?? {
    size: firstTemplateSize(input),
    storageClassName: classOf(input).storageClassName,
  }
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: volumeClaim },
    spec: {
      accessModes: ['ReadWriteOnce'],
      volumeMode: 'Filesystem',
      resources: { requests: { storage: size } },
      ...(storageClassName !== null && { storageClassName }),
    },
  }
}
