import { expect, test } from 'vitest'
import { listeningIn, listeningPorts } from './listening-ports.ts'

// A port that is open is seen, on any address, and connections are not taken for one.

const head =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'
const end = '00000000:00000000 00:00000000 00000000 65532        0 1234 1 0000000000000000 100 0 0 10 0'

test.each([
  ['all addresses', `   0: 00000000:1F96 00000000:0000 0A ${end}`, [8086]],
  ['loopback', `   0: 0100007F:23ED 00000000:0000 0A ${end}`, [9197]],
  ['IPv6', `   0: ${'0'.repeat(32)}:1F97 ${'0'.repeat(32)}:0000 0A ${end}`, [8087]],
  ['a connection', `   0: 0100007F:1F96 0100007F:C350 01 ${end}`, []],
  ['nothing', '', []],
])('%s', (_name, line, ports) => expect(listeningIn(`${head}\n${line}\n`)).toEqual(ports))

test('the ports of this machine are not taken for those of a pod', async () => {
  await expect(listeningPorts(process.pid)).rejects.toThrow('in the network of this machine')
})
