const smallBytes = 384 * 1_048_576

/**
 * Whether the memory of a pod is so short that runtimes beside each other decide what is left: budgets and the garbage
 * collector are chosen otherwise then.
 * @param memoryLimitBytes of all processes of the pod
 */
export const isSmallPod = (memoryLimitBytes: number): boolean => memoryLimitBytes < smallBytes
