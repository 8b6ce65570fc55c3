/**
 * The operator's wake door (8088): HTTP/1.1 over TLS 1.2 or 1.3, where the caller must present the identity
 * `holdfast://<installation id>/gateway` and finds `holdfast://<installation id>/operator`. The operator that leads
 * listens, and no other.
 *
 * | request | answer |
 * |---|---|
 * | `POST /wake`, `Authorization: Bearer <token>`, `Holdfast-Organization: <id>` | 200 WakeState; 401 when the token is none of the organization's that is in force, or there is no such organization; 429 with Retry-After |
 *
 * A valid token wakes what hibernates until it is used. Whoever waits asks again: nothing is remembered for long.
 */
export const wakePort = 8088
export const wakePath = '/wake'

/**
 * awake: its nodes serve, or are to. waking: they are on their way. asleep: they are not to run, whoever asks.
 */
export const wakeStates = ['awake', 'waking', 'asleep'] as const
export type WakeState = (typeof wakeStates)[number]

/** The body of an answer with status 200. */
export interface WakeAnswer {
  readonly state: WakeState
}
