/**
 * A storage node puts this header on its answers to the gateway, and to nobody else, once it has let a request in.
 * The status does not say so: a path that is not there may be asked for with any credentials. The gateway takes the
 * header off before the answer goes on, and off every request that comes in.
 */
export const letInHeader = 'x-holdfast-let-in'
