/** What other operators were measured to do with 1,000 objects on a machine like ours; one run each. */
export const peers = {
  titles: ['prometheus-operator 0.85.0, 1000', 'cert-manager 1.21.2, 1000'],
  child: ['81.5 / 170', '31.9 / 57.7'],
  ready: ['118 / 245', '32.1 / 57.9'],
  allChildren: ['', '61.8'],
  allReady: ['250', '61.9'],
  writes: ['26.2 (events 0)', '22.9 (events 9.7)'],
  reads: ['24.2', '1.0'],
  refusals: ['3000 in all', '800 in all'],
  cpu: ['85', '40.5'],
  rss: ['245 / 245', '146 / 147'],
  idle: ['0, 0, 0.10', '0, 0, 0.00'],
  edit: ['197 / 559', '84 / 108'],
  editWrites: ['26', '28.9 (events 11)'],
  restart: ['172.6', ''],
  restartWrites: ['7787', '0'],
  restartCpu: ['26.4, 241', '3.3, 120'],
  note: `Beside it stand two other operators, measured with 1,000 objects each on 2 cores with a single-node Kubernetes 1.34, where kwok played the
pods, one run each: a Prometheus is a StatefulSet and its Secrets, a Certificate one Secret and no pod. Neither speaks to a node of a tenant. Their
controller manager had its default limits, so "Ready" of prometheus-operator waits for it. Their p99 of edits is the longest of 20.`,
} as const
