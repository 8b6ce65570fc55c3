import { setFlagsFromString } from 'node:v8'
import { isSmallPod } from './small-pod.ts'

/**
 * Has V8 look for garbage when the room that it gives the heap is mostly used up. By itself it begins as soon as the
 * room that is left is no more than the young generation's: beside a small heap and buffers that come and go by the
 * megabyte that is at once, so that it marks the whole heap over and over. How large the heap may get is not changed.
 */
function markLate(): void {
  // Percent of that room: from the first on it marks beside other work, from the second on before it.
  setFlagsFromString('--incremental-marking-soft-trigger=70')
  setFlagsFromString('--incremental-marking-hard-trigger=90')
}

/**
 * Where memory is short: has V8 look for garbage when a quarter has been added to what was alive. It costs time, and a heap
 * that grows by what is free would leave none to other processes. Its young generation stays as small as it begins: of
 * buffers outside the heap, which bodies and answers are made of, tens of megabytes would wait until it was full.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--heap-growing-percent=25')
  setFlagsFromString('--semi-space-growth-factor=1')
}

/**
 * Has V8 move what is alive together wherever a fifth of a page is free, where it waits for 70 % by itself: where objects
 * live long and are replaced one by one, pages stay that are half empty. When the operator had made 1,000 organizations, its
 * old generation took 116 MiB for 75 that were used; so it takes 80 to 95. It costs time while a heap fills.
 */
export function keepHeapCompact(): void {
  setFlagsFromString('--optimize-for-size')
}

/** @param memoryLimitBytes of all processes of the pod */
export function chooseCollectorFlags(memoryLimitBytes: number): void {
  if (isSmallPod(memoryLimitBytes)) keepHeapSmall()
  else markLate()
}

/**
 * Has buffers outside the heap count as part of the room that the heap is given. Otherwise each 64 MB of them is a
 * collection of the whole heap, however little of it is garbage: several a second where bodies and columns come and go.
 * Later V8s know nothing else. Not for a process whose heap is small beside the buffers that it keeps, which would collect
 * all the time, and not where memory is short.
 */
export function countBuffersAsHeap(memoryLimitBytes: number): void {
  if (!isSmallPod(memoryLimitBytes)) setFlagsFromString('--external-memory-accounted-in-global-limit')
}
