import { AppError } from '../../common/errors.ts'
import type { KubeObject } from '../kube/object.ts'
import { labelKeys, storageNodeLabels, storageNodeSelector } from '../naming/labels.ts'
import { storageNode, volumeClaim } from '../naming/names.ts'
import { classOf, runningVersion, runtimeMetadata, wantedVersion, type DesiredInput } from './input.ts'
import { podSpec } from './pod.ts'
import { keptTemplate, templateRecord } from './template.ts'
import { volumeSize } from './volume-size.ts'

/**
 * The storage nodes. Values that the API server would fill in are written out where they matter, so that what is stored
 * can be compared with what is asked for.
 */
export function statefulSet(input: DesiredInput): KubeObject {
  const { spec } = input.organization
  const labels = {
    ...storageNodeLabels(input.organizationId),
    [labelKeys.version]: wantedVersion(input),
  }
  const template = keptTemplate(input) ?? { metadata: { labels }, spec: podSpec(input, imageOf(input)) }
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: {
      ...runtimeMetadata(input, storageNode, labels),
      annotations: templateRecord(input, template),
    },
    spec: {
      replicas: spec.storage.replicas,
      serviceName: storageNode,
      // Replicas do not wait for each other: a node may need its peers to become ready.
      podManagementPolicy: 'Parallel',
      revisionHistoryLimit: 5,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      // Volumes go only by the operator's explicit act, after deletionPolicy has been asked.
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      selector: { matchLabels: storageNodeSelector },
      template,
      volumeClaimTemplates: [claimTemplate(input)],
    },
  }
}

/**
 * The image of the wanted version. The live one stays while the version stays: a platform that moves its registry, or a
 * new operator with another digest of the same version, rolls no pod.
 * @throws AppError not-found, ERR_VERSION_UNKNOWN, for a version that neither runs nor has an image
 */
function imageOf(input: DesiredInput): string {
  const version = wantedVersion(input)
  if (input.existing && runningVersion(input, input.existing) === version) return input.existing.image
  const { images } = input.platform.storageNode
  const image = Object.hasOwn(images, version) ? images[version] : undefined
  if (image === undefined)
    throw new AppError('not-found', 'ERR_VERSION_UNKNOWN', `no image of storage node version "${version}"`)
  return image
}

/** A claim template cannot change: what is there is repeated, growth goes to the claims themselves. */
function claimTemplate(input: DesiredInput): Readonly<Record<string, unknown>> {
  const { size, storageClassName } = input.existing?.claim ?? {
    size: volumeSize(input),
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
