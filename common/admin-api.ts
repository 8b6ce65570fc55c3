/**
 * The storage node's admin port (8087): JSON over HTTP/1.1 over TLS 1.2 or 1.3, where the caller must present the
 * identity `holdfast://<installation id>/operator` and every request carries the organization's id.
 *
 * | request | answer |
 * |---|---|
 * | `GET /admin/state` | 200 NodeState |
 * | `PUT /admin/state`, If-Match: "<digest the node reported>" (`""` for none), body a state document of format 1, or from format 2 on {document, beside} | 200 NodeState; 412 NodeState when the digest is another; 422 AdminError when the document is refused |
 * | `DELETE /admin/databases/<database id>` | 204: its data is gone, also when there was none; 409 while the state document still holds it |
 * | `GET /admin/data-key` | 200 DataKeyState |
 * | `POST /admin/data-key` | the data key file is read again and its first key put in force: 200 DataKeyState with no older keys; 409 when the file lacks a key that is still needed |
 * | `GET /admin/token-uses` | 200 TokenUses |
 * | `POST /admin/attempts`, body as attempts.ts says | 200: what became of each attempt to reach an address; 429 when asked too often |
 * | `GET /admin/health` | 200 {status: "pass"} |
 * | `GET /admin/metrics` | 200, Prometheus text format |
 *
 * A request without `Holdfast-Organization: <id>`, or with another organization's id, is answered 421.
 */
export const adminPort = 8087
export const clientPort = 8086
export const organizationHeader = 'holdfast-organization'

export const adminPaths = {
  state: '/admin/state',
  databases: '/admin/databases/',
  dataKey: '/admin/data-key',
  tokenUses: '/admin/token-uses',
  attempts: '/admin/attempts',
  health: '/admin/health',
  metrics: '/admin/metrics',
} as const

/** What a node says of the state document that it serves. */
export interface NodeState {
  readonly organizationId: string
  /** Digest of the document in force as it was sent, or "" while the node has never had one. */
  readonly digest: string
  /** State document format versions that this node reads. */
  readonly formatVersions: readonly number[]
  /** The program's own version. */
  readonly version: string
  /** Ids of databases that have data on this node, attached or not. */
  readonly databasesWithData: readonly string[]
  /** What was found damaged; with the first of it the node is read-only. */
  readonly damage?: readonly FileDamage[]
  /** Work that fails again and again and is tried on; empty where all is well. */
  readonly troubles?: readonly NodeTrouble[]
  /**
   * Milliseconds since the last answer to a client that was let in, or since the start of a process that has let none
   * in; 0 while one is being served. By the node's own clock that nobody sets.
   */
  readonly idleMs?: number | undefined
}

/** Work that has failed three times in a row at least. */
export interface NodeTrouble {
  readonly work: 'flush' | 'compaction'
  /** In a row. */
  readonly failures: number
  /** When the first of them was: RFC 3339. */
  readonly since: string
  /** For people, without anything of the tenant's. */
  readonly message: string
  /** Writes have been refused for want of the room that it makes. */
  readonly refusesWrites: boolean
}

/** A file that is not what was written. */
export interface FileDamage {
  /** Below the engine's folder, for example `log/0000000000000001.log`. */
  readonly file: string
  /** Where in the file, null where it is the file as a whole. */
  readonly offsetBytes: number | null
  readonly what: string
}

/** When token strings were last let in by a process, by the node's clock. */
export interface TokenUses {
  /** Those that were used last, at most `tokenUsesLimit`. */
  readonly uses: readonly {
    readonly id: string
    /** RFC 3339, to the minute. */ readonly lastUsedAt: string
  }[]
}
/** They take 0.7 MB. */
export const tokenUsesLimit = 10_000

/** Ids tell data keys apart and say nothing about them: 16 hex digits. */
export interface DataKeyState {
  /** Of the key in force, which seals. */
  readonly keyId: string
  /** Of older keys without which something on the volume does not open; while there are any they must stay. */
  readonly olderKeyIds: readonly string[]
}

export interface AdminError {
  readonly code: string
  readonly message: string
}
