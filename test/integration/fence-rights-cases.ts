import { get, create, apply, merge, post, remove } from './calls.ts'
import {
  type FenceCase,
  rbac,
  secretPath,
  operatorOf,
  binding,
  tenantRole,
  runtimeRole,
  labelled,
  bindsInTenant,
  bindsInRuntime,
  readsTokenSecret,
  readsOwnSecret,
} from './fence-calls.ts'

/** Attempts to read, to take rights, and to be rid of the fence. */

const reads: readonly FenceCase[] = [
  {
    what: 'list the Secrets of kube-system',
    attempt: () => get('/api/v1/namespaces/kube-system/secrets'),
    control: readsTokenSecret,
    refusedBy: 'rights',
    isRightsAlone: true,
  },
  {
    what: 'read a Secret of a namespace without an Organization',
    attempt: ({ foreign }) => get(secretPath(foreign, 'theirs')),
    control: readsTokenSecret,
    refusedBy: 'rights',
    isRightsAlone: true,
  },
  {
    what: 'list the Secrets of a tenant',
    attempt: ({ tenant }) => get(`/api/v1/namespaces/${tenant}/secrets`),
    control: readsTokenSecret,
    refusedBy: 'rights',
    isRightsAlone: true,
  },
  {
    what: 'read a Secret of its own namespace that it does not keep',
    attempt: ({ own }) => get(secretPath(own, 'helm')),
    control: readsOwnSecret,
    refusedBy: 'rights',
    isRightsAlone: true,
  },
  {
    what: 'be somebody else',
    attempt: () => ({
      ...get('/api/v1/namespaces/kube-system/secrets'),
      headers: { 'impersonate-user': 'admin', 'impersonate-group': 'system:masters' },
    }),
    control: readsOwnSecret,
    refusedBy: 'rights',
    isRightsAlone: true,
  },
]

const bindingPath = (namespace: string) =>
  `/apis/${rbac}/v1/namespaces/${namespace}/rolebindings/holdfast-operator`

const bindings: readonly FenceCase[] = [
  {
    what: 'take Secrets of a namespace without an Organization',
    attempt: ({ foreign, own }) => apply(binding(foreign, own, tenantRole)),
    control: bindsInTenant,
    refusedBy: 'tenants',
  },
  {
    what: 'the same by a plain write in kube-system',
    attempt: ({ own }) => create(binding('kube-system', own, tenantRole)),
    control: bindsInTenant,
    refusedBy: 'tenants',
  },
  {
    what: 'the same with a label of what is in the namespaces that it made',
    attempt: ({ foreign, own }) =>
      create(
        binding(foreign, own, tenantRole, {
          metadata: { name: 'holdfast-operator', namespace: foreign, labels: labelled },
        }),
      ),
    control: bindsInTenant,
    refusedBy: 'tenants',
  },
  {
    what: 'the same where the namespace has a label that keeps the policy of tenants from looking',
    attempt: ({ unmarked, own }) => apply(binding(unmarked, own, tenantRole)),
    control: bindsInTenant,
    refusedBy: 'fence',
  },
  {
    what: 'the same under another name',
    attempt: ({ foreign, own }) =>
      create(binding(foreign, own, tenantRole, { metadata: { name: 'evil', namespace: foreign } })),
    control: bindsInTenant,
    refusedBy: 'fence',
  },
  {
    what: 'the same under a name that the API server makes up',
    attempt: ({ foreign, own }) => ({
      ...create(binding(foreign, own, tenantRole)),
      body: {
        ...binding(foreign, own, tenantRole),
        metadata: { generateName: 'holdfast-operator', namespace: foreign },
      },
    }),
    control: bindsInTenant,
    refusedBy: 'fence',
  },
  {
    what: 'take Secrets of its own namespace',
    attempt: ({ own }) =>
      create(binding(own, own, tenantRole, { metadata: { name: 'evil', namespace: own } })),
    control: bindsInTenant,
    refusedBy: 'fence',
  },
  {
    what: 'give a tenant’s Secrets to everybody',
    attempt: ({ tenant, own }) =>
      apply(
        binding(tenant, own, tenantRole, {
          subjects: [{ kind: 'Group', apiGroup: rbac, name: 'system:authenticated' }],
        }),
      ),
    control: bindsInTenant,
    refusedBy: 'fence',
  },
  {
    what: 'give them to an account of its name elsewhere',
    attempt: ({ tenant, foreign }) => apply(binding(tenant, foreign, tenantRole)),
    control: bindsInTenant,
    refusedBy: 'fence',
  },
  {
    what: 'take the rights of a runtime namespace in a tenant’s',
    attempt: ({ tenant, own }) =>
      create(binding(tenant, own, runtimeRole, { metadata: { name: 'evil', namespace: tenant } })),
    control: bindsInRuntime,
    refusedBy: 'fence',
  },
  {
    what: 'take them in a namespace that is only called like one of its own',
    attempt: ({ unmarked, own }) =>
      apply(
        binding(unmarked, own, runtimeRole, {
          metadata: { name: 'holdfast-operator', namespace: unmarked, labels: labelled },
        }),
      ),
    control: bindsInRuntime,
    refusedBy: 'fence',
  },
  {
    what: 'bind cluster-admin in a namespace of its own',
    attempt: ({ runtime, own }) =>
      create(binding(runtime, own, 'cluster-admin', { metadata: { name: 'evil', namespace: runtime } })),
    control: bindsInRuntime,
    refusedBy: 'rights',
  },
  {
    what: 'bind cluster-admin for the cluster',
    attempt: ({ own }) =>
      post(`/apis/${rbac}/v1/clusterrolebindings`, {
        metadata: { name: 'evil' },
        roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [operatorOf(own)],
      }),
    control: bindsInRuntime,
    refusedBy: 'rights',
  },
  {
    what: 'bind a role that it may bind for the whole cluster',
    attempt: ({ own }) =>
      post(`/apis/${rbac}/v1/clusterrolebindings`, {
        metadata: { name: 'evil' },
        roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: tenantRole },
        subjects: [operatorOf(own)],
      }),
    control: bindsInTenant,
    refusedBy: 'rights',
  },
  {
    what: 'give a role that it may bind more rights',
    attempt: () =>
      merge(`/apis/${rbac}/v1/clusterroles/${tenantRole}`, {
        rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }],
      }),
    control: bindsInTenant,
    refusedBy: 'rights',
  },
  {
    what: 'make a role of a tenant’s namespace',
    attempt: ({ tenant }) =>
      post(`/apis/${rbac}/v1/namespaces/${tenant}/roles`, { metadata: { name: 'evil' }, rules: [] }),
    control: bindsInTenant,
    refusedBy: 'rights',
  },
  {
    what: 'delete what the chart binds to it',
    attempt: ({ own }) => remove(bindingPath(own)),
    control: ({ damaged }) => remove(bindingPath(damaged)),
    refusedBy: 'fence',
  },
  {
    what: 'delete somebody else’s RoleBinding',
    attempt: ({ tenant }) => remove(`/apis/${rbac}/v1/namespaces/${tenant}/rolebindings/theirs`),
    control: ({ tenant }) => remove(bindingPath(tenant)),
    refusedBy: 'fence',
  },
]

const admission = '/apis/admissionregistration.k8s.io/v1'
const ownPolicy: readonly FenceCase[] = [
  {
    what: 'change the policy that fences it',
    attempt: ({ own }) =>
      merge(`${admission}/validatingadmissionpolicies/${own}`, { spec: { failurePolicy: 'Ignore' } }),
    control: bindsInTenant,
    refusedBy: 'rights',
    isRightsAlone: true,
  },
  {
    what: 'delete the binding of that policy',
    attempt: ({ own }) => remove(`${admission}/validatingadmissionpolicybindings/${own}`),
    control: bindsInTenant,
    refusedBy: 'rights',
    isRightsAlone: true,
  },
]

export const rightsCases: readonly FenceCase[] = [...reads, ...bindings, ...ownPolicy]
