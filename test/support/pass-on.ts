import { connect, createServer, type AddressInfo } from 'node:net'

// A program that passes connections on to a port of this machine, and says its own: for `LostPackets`.

const [host, to] = [process.argv[2]!, Number(process.argv[3])]
const server = createServer((socket) => {
  const node = connect(to, host)
  for (const each of [socket, node]) each.on('error', () => undefined)
  socket.pipe(node).pipe(socket)
})
server.listen({ host, port: 0, backlog: 1 }, () => console.log((server.address() as AddressInfo).port))
