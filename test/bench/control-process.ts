import { watchEventLoop } from '../../common/event-loop-delay.ts'

/** A process that does nothing but watch its own event loop: how late that is, the machine makes it. */
const read = watchEventLoop()

process.on('message', () => process.send?.(read()))
