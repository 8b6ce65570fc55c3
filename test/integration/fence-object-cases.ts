import { pathOf, resources } from '../../operator/kube/resource.ts'
import { get, create, apply, merge, post, remove } from './calls.ts'
import {
  type FenceCase,
  id,
  namespacePath,
  secretPath,
  organizationPath,
  mark,
  restricted,
  namespace,
  makesNamespace,
  secret,
  owner,
  accountToken,
  makesTokenSecret,
  pod,
  statefulSet,
  runsInRuntime,
  changesService,
  organization,
  holds,
} from './fence-calls.ts'

/** Attempts to make, change and delete what is not the operator's. */

const namespaces: readonly FenceCase[] = [
  {
    what: 'make a namespace of another name',
    attempt: () => create(namespace('evil', { annotations: mark, labels: restricted })),
    control: makesNamespace,
    refusedBy: 'fence',
  },
  {
    what: 'make one of the right name without the mark',
    attempt: () => create(namespace(`holdfast-${id}`, { labels: restricted })),
    control: makesNamespace,
    refusedBy: 'fence',
  },
  {
    what: 'make one that lets any pod run',
    attempt: () => create(namespace(`holdfast-${id}`, { annotations: mark })),
    control: makesNamespace,
    refusedBy: 'fence',
  },
  {
    what: 'let any pod run in one of its own',
    attempt: ({ runtime }) =>
      merge(namespacePath(runtime), {
        metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } },
      }),
    control: ({ runtime }) =>
      merge(namespacePath(runtime), { metadata: { annotations: { 'holdfast.dev/retained-since': 'now' } } }),
    refusedBy: 'fence',
  },
  {
    what: 'let any pod run in one whose Pod Security label somebody took away',
    attempt: ({ damaged }) =>
      merge(namespacePath(damaged), {
        metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } },
      }),
    control: ({ damaged }) =>
      merge(namespacePath(damaged), { metadata: { annotations: { 'holdfast.dev/retained-since': 'now' } } }),
    refusedBy: 'fence',
  },
  {
    what: 'delete a foreign namespace',
    attempt: ({ foreign }) => remove(namespacePath(foreign)),
    control: ({ runtime }) => remove(namespacePath(runtime)),
    refusedBy: 'fence',
  },
  {
    what: 'delete one that is only called like one of its own',
    attempt: ({ unmarked }) => remove(namespacePath(unmarked)),
    control: ({ runtime }) => remove(namespacePath(runtime)),
    refusedBy: 'fence',
  },
  {
    what: 'label a foreign namespace',
    attempt: ({ foreign }) => merge(namespacePath(foreign), { metadata: { labels: restricted } }),
    control: ({ runtime }) => merge(namespacePath(runtime), { metadata: { labels: restricted } }),
    refusedBy: 'fence',
  },
  {
    what: 'mark a foreign namespace as its own',
    attempt: ({ unmarked }) =>
      merge(namespacePath(unmarked), { metadata: { annotations: mark, labels: restricted } }),
    control: ({ runtime }) => merge(namespacePath(runtime), { metadata: { labels: restricted } }),
    refusedBy: 'fence',
  },
  {
    what: 'finish a foreign namespace',
    attempt: ({ foreign }) => ({
      method: 'PUT',
      path: `${namespacePath(foreign)}/finalize`,
      body: { ...namespace(foreign), spec: { finalizers: [] } },
    }),
    control: makesNamespace,
    refusedBy: 'rights',
  },
]

const workloads: readonly FenceCase[] = [
  {
    what: 'run a pod in kube-system',
    attempt: () => create(pod('kube-system')),
    control: runsInRuntime,
    refusedBy: 'rights',
  },
  {
    what: 'run a StatefulSet in a tenant’s namespace',
    attempt: ({ tenant }) => create(statefulSet(tenant)),
    control: runsInRuntime,
    refusedBy: 'rights',
  },
  {
    what: 'be given a token of an account of kube-system',
    attempt: () =>
      post('/api/v1/namespaces/kube-system/serviceaccounts/default/token', {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {},
      }),
    control: runsInRuntime,
    refusedBy: 'rights',
  },
  {
    what: 'catch traffic by a Service with addresses from outside',
    attempt: (scene) => changesService(scene, { externalIPs: ['192.0.2.1'] }),
    control: (scene) => changesService(scene, { sessionAffinity: 'ClientIP' }),
    refusedBy: 'fence',
  },
  {
    what: 'write a ConfigMap of kube-system',
    attempt: () => post('/api/v1/namespaces/kube-system/configmaps', { metadata: { name: 'evil' } }),
    control: runsInRuntime,
    refusedBy: 'rights',
  },
  {
    what: 'take the lease of another controller',
    attempt: () => merge('/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/theirs', { spec: {} }),
    control: ({ own }) => get(`/apis/coordination.k8s.io/v1/namespaces/${own}/leases/holdfast-operator`),
    refusedBy: 'rights',
    isRightsAlone: true,
  },
]

const secrets: readonly FenceCase[] = [
  {
    what: 'have a tenant’s namespace give out a token of its account',
    attempt: ({ tenant }) =>
      create(
        secret(tenant, 'made', 'kubernetes.io/service-account-token', {
          ...accountToken,
          ownerReferences: [owner],
        }),
      ),
    control: makesTokenSecret,
    refusedBy: 'fence',
  },
  {
    what: 'the same in a namespace of its own',
    attempt: ({ runtime }) =>
      create(secret(runtime, 'made', 'kubernetes.io/service-account-token', accountToken)),
    control: ({ runtime }) => create(secret(runtime, 'made', 'Opaque')),
    refusedBy: 'fence',
  },
  {
    what: 'the same where it runs, under a name that it may read',
    attempt: ({ own }) =>
      create(secret(own, 'holdfast-gateway-tls', 'kubernetes.io/service-account-token', accountToken)),
    control: ({ own, ownSecret }) => ({
      method: 'PUT',
      path: secretPath(own, 'holdfast-ca'),
      body: ownSecret,
    }),
    refusedBy: 'fence',
  },
  {
    what: 'make another Secret where it runs',
    attempt: ({ own }) => create(secret(own, 'evil', 'Opaque')),
    control: ({ own, ownSecret }) => ({
      method: 'PUT',
      path: secretPath(own, 'holdfast-ca'),
      body: ownSecret,
    }),
    refusedBy: 'fence',
  },
  {
    what: 'make a Secret in a tenant’s namespace that no Token owns',
    attempt: ({ tenant }) => create(secret(tenant, 'made', 'servicebinding.io/influxdb')),
    control: makesTokenSecret,
    refusedBy: 'fence',
  },
  {
    what: 'write over a Secret of a tenant’s own',
    attempt: ({ tenant }) => ({
      method: 'PUT',
      path: secretPath(tenant, 'theirs'),
      body: secret(tenant, 'theirs', 'Opaque', { ownerReferences: [owner] }),
    }),
    control: ({ tenant, tokenSecret }) => ({
      method: 'PUT',
      path: secretPath(tenant, 'writer'),
      body: tokenSecret,
    }),
    refusedBy: 'fence',
  },
  {
    what: 'delete it',
    attempt: ({ tenant }) => remove(secretPath(tenant, 'theirs')),
    control: ({ tenant }) => remove(secretPath(tenant, 'writer')),
    refusedBy: 'fence',
  },
]

const kinds: readonly FenceCase[] = [
  {
    what: 'make an Organization where it wants Secrets',
    attempt: () => apply(organization('kube-system', {})),
    control: holds,
    refusedBy: 'rights',
  },
  {
    what: 'change an Organization’s spec',
    attempt: ({ tenant }) => merge(organizationPath(tenant), { spec: { deletionPolicy: 'Delete' } }),
    control: holds,
    refusedBy: 'fence',
  },
  {
    what: 'annotate a Token',
    attempt: ({ tenant }) =>
      merge(pathOf(resources.tokens, { namespace: tenant, name: 'writer' }), {
        metadata: { annotations: { 'holdfast.dev/paused': 'true' } },
      }),
    control: holds,
    refusedBy: 'fence',
  },
  {
    what: 'delete an Organization',
    attempt: ({ tenant }) => remove(organizationPath(tenant)),
    control: holds,
    refusedBy: 'rights',
  },
]

export const objectCases: readonly FenceCase[] = [...namespaces, ...workloads, ...secrets, ...kinds]
