import { messageOf } from '../../common/errors.ts'

/**
 * All of the file system that the storage node may use. Paths are absolute. The simulation supplies a disk that
 * crashes; errors carry Node's `code` (`ENOSPC`, `EIO`, `ENOENT`).
 */
export interface Disk {
  /** Makes the folder and those above it, durably; fine if it is there. */
  makeFolder(path: string): Promise<void>
  /** Names in the folder, sorted. */
  list(path: string): Promise<string[]>
  /** @throws with code ENOENT if there is none */
  read(path: string): Promise<Uint8Array>
  exists(path: string): Promise<boolean>
  sizeBytes(path: string): Promise<number>
  /** SHA-256 of the content, hex, read in pieces. */
  sha256(path: string): Promise<string>
  /** A new file, open for writing; its name is durable after `syncFolder`. @throws with code EEXIST */
  create(path: string, writes?: Writes): Promise<DiskFile>
  /** An existing file, open for writing in place. */
  open(path: string): Promise<DiskFile>
  /**
   * Puts `bytes` in place of whatever `path` held, whole or not at all, durably. An error with a code says that nothing
   * was replaced; after one without, a loss of power decides.
   */
  replace(path: string, bytes: Uint8Array): Promise<void>
  /** Makes a finished file real: syncs it, renames it to `path` and syncs the folder. Errors as of `replace`. */
  adopt(temporaryPath: string, path: string): Promise<void>
  /** Removes a file; fine if there is none. Not durable before `syncFolder`. */
  remove(path: string): Promise<void>
  syncFolder(path: string): Promise<void>
  space(path: string): Promise<DiskSpace>
}

/** Whether a write resolves when the system has it, or when content and size are on stable storage. */
export type Writes = 'cached' | 'durable'

export interface DiskFile {
  /** After an error nobody knows how much of it was written. */
  write(bytes: Uint8Array, offset: number): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  /** Resolves when content and size are on stable storage. */
  sync(): Promise<void>
  close(): Promise<void>
}

export interface DiskSpace {
  readonly freeBytes: number
  readonly totalBytes: number
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** There was no room for what was to be written. */
export function isFull(error: unknown): boolean {
  return hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT')
}

/** The error of a file that has its new name, of which nobody knows whether it is durable. */
export function renamed(path: string, cause: unknown): Error {
  return new Error(`${path} was renamed, its folder could not be synced: ${messageOf(cause)}`, { cause })
}

/** A text of the system's or of DuckDB's as anybody may read it: with the names of files, without their folders. */
export function withoutFolders(text: string): string {
  return text.replace(/(["'])\/[^"'\n]*\//g, '$1').replace(/(?<=^|\s)\/\S*\//g, '')
}
