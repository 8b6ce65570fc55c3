import { setFlagsFromString } from 'node:v8'

/**
 * Has V8 look for garbage when the room that it gives the heap is mostly used up. By itself it begins as soon as the
 * room that is left is no more than the young generation's: beside a small heap and buffers that come and go by the
 * megabyte that is at once, so that it marks the whole heap over and over. How large the heap may get is not changed.
 */
export function markLate(): void {
  // Percent of that room: from the first on it marks beside other work, from the second on before it.
  setFlagsFromString('--incremental-marking-soft-trigger=70')
  setFlagsFromString('--incremental-marking-hard-trigger=90')
}
