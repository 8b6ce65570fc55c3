import { buildPrograms } from '../../local-kubernetes/programs.ts'
import { ControlPlane, type MoreArguments } from './own-control-plane.ts'

/**
 * A control plane for the tests of this layer alone. Where KUBECONFIG is set, the tests use that cluster instead.
 */
export default async function setup(): Promise<() => Promise<void>> {
  if (process.env['KUBECONFIG']) return async () => undefined
  const plane = await startControlPlane()
  process.env['KUBECONFIG'] = plane.kubeconfig
  return () => plane.stop()
}

/** @param more arguments of a program, besides those that it has here or in their place */
export async function startControlPlane(more: MoreArguments = {}): Promise<ControlPlane> {
  return ControlPlane.start(await buildPrograms((line) => console.log(line)), more)
}
