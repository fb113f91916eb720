/** A small server of TLS as a gateway has it towards its peers, a door before it, and callers from many addresses. */
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, request, type ServerOptions } from 'node:https'
import { type AddressInfo, connect as connectPlain, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { onTestFinished } from 'vitest'
import { Refusal } from '#protocol/refusal.ts'
import { type Anchors, provePeer, readAnchors, type Shown } from '#trust/anchors.ts'
import { readCertificate } from '#trust/certificate.ts'
import { type NamedProxy, openCallers, type Sender } from '#trust/proxy.ts'
import { type Door, openDoor, type Turned } from '../../src/door.ts'
import { type Made, makeCrl, makeIssuer, makeMember, makeRoot } from '../certificates.ts'

/** What a caller shows. */
export type Identity = { readonly cert: string; readonly key: string }

export type Authorities = {
  readonly root: Made
  readonly issuer: Made
  readonly anchors: Anchors
  member(city: string): Promise<Made>
  /** A member's certificate, its issuer's, and its key. */
  identity(city: string): Promise<Identity>
}

/** A federation's root and issuing authority, with their revocation lists, as files and as read. */
export async function makeAuthorities(): Promise<Authorities> {
  const root = await makeRoot()
  const issuer = await makeIssuer({ issuer: root })
  const folder = mkdtempSync(join(tmpdir(), 'outside-'))
  mkdirSync(join(folder, 'crls'))
  writeFileSync(join(folder, 'root.pem'), root.certificate)
  writeFileSync(join(folder, 'crls', 'root.pem'), await makeCrl({ issuer: root }))
  writeFileSync(join(folder, 'crls', 'issuer.pem'), await makeCrl({ issuer }))
  const anchors = readAnchors(folder, [])
  rmSync(folder, { recursive: true })
  const member = (city: string) => makeMember({ issuer, city, kind: 'tls' })
  return {
    root,
    issuer,
    anchors,
    member,
    async identity(city) {
      const { certificate, key } = await member(city)
      return { cert: certificate + issuer.certificate, key }
    },
  }
}

export type Outside = {
  readonly door: Door
  readonly port: number
  /** Why connections were cut off, in order. */
  readonly turned: readonly Turned[]
  /** Cities whose connections were accepted, in order. */
  readonly accepted: readonly string[]
  /** Who was at the other end of each connection, and who sent each message and whether the proxy passed it on, in order. */
  readonly greeted: readonly Sender[]
  readonly senders: readonly (Sender & { readonly passedOn: boolean })[]
  /** What handshakes ended with, by node's code. */
  readonly failures: readonly string[]
  /** How many connections are open that were let in. */
  readonly open: () => number
  /** How often a body was looked at. */
  readonly looks: () => number
  /** Lets whoever says `hold` have its answer. */
  release(): void
  /** Moves the clock of the door and of who asks, and nothing else: not that of TLS. */
  pass(ms: number): void
  /** TCP, and not a byte. */
  plain(from: string): Socket
  /** TLS, with a certificate or without. */
  secure(from: string, identity?: Identity, more?: ConnectionOptions): TLSSocket
  /** One question over a connection of its own; its status, or 0 where the connection was cut off. */
  ask(from: string, identity: Identity, body: string): Promise<number>
}

/**
 * Listens on loopback until the test ends. A body `bad` fails its verification, `hold` is answered on `release`, any other
 * is good; `answer` takes the place of all that. Other options come after those of a gateway; `silence` is the server's
 * `setTimeout`.
 */
export async function openOutside(
  { anchors, root, issuer, member }: Authorities,
  { silence, proxy, ...options }: ServerOptions & { readonly silence?: number; readonly proxy?: NamedProxy } = {},
  answer?: (message: IncomingMessage, response: ServerResponse) => void,
): Promise<Outside> {
  const turned: Turned[] = []
  const accepted: string[] = []
  const greeted: Sender[] = []
  const senders: (Sender & { readonly passedOn: boolean })[] = []
  const failures: string[] = []
  let passed = 0
  let looks = 0
  let holding = Promise.withResolvers<void>()
  const now = () => 1_800_000_000_000 + passed
  const door = openDoor({ turned: why => turned.push(why) }, now)
  const issuers = [readCertificate(issuer.certificate)]
  const connected = (shown: Shown, at: number) => provePeer(shown, anchors, () => issuers, at)
  const callers = openCallers({ connected }, proxy, () => Date.now() + passed)
  const own = await member('jiangyin')

  const reply = async (message: IncomingMessage, response: ServerResponse) => {
    try {
      const caller = callers.senderOf(message)
      senders.push({ ...caller, passedOn: callers.isProxied(message) })
      door.hear(caller)
      response.setHeader('x-city', caller.city)
      let body = ''
      for await (const chunk of message.setEncoding('latin1')) body += chunk
      using _ = door.seat(caller)
      looks += 1
      if (body === 'hold') await holding.promise
      if (body === 'bad') door.failed(caller)
      return response.writeHead(body === 'bad' ? 401 : 200).end()
    } catch (error) {
      // A body that broke off has nobody to tell.
      if (!(error instanceof Refusal)) return response.destroy()
      response.shouldKeepAlive = false
      response.setHeader('x-refusal', error.message)
      return response.writeHead(error.status).end()
    }
  }
  const server = createServer(
    {
      cert: own.certificate + issuer.certificate,
      key: own.key,
      ca: [root.certificate, ...(proxy === undefined ? [] : [proxy.pem])],
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: 5_000,
      ...options,
    },
    (message, response) => (answer ?? reply)(message, response),
  )
  let open = 0
  server.on('connection', (socket: Socket) => {
    open += 1
    socket.once('close', () => (open -= 1))
  })
  door.guard(server)
  server.on('tlsClientError', error => failures.push('code' in error ? String(error.code) : error.message))
  server.on('secureConnection', (socket: TLSSocket) => {
    try {
      const caller = callers.greet(socket)
      const { city } = caller
      greeted.push(caller)
      if (!door.accept(socket, city)) return socket.destroy()
      accepted.push(city)
      return undefined
    } catch (error) {
      failures.push(error instanceof Refusal ? `${error.code} ${error.detail}` : String(error))
      return socket.destroy()
    }
  })
  if (silence !== undefined) server.setTimeout(silence)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const sockets = new Set<Socket>()
  const known = <S extends Socket>(socket: S): S => {
    // That it is cut off is what many tests wait for, by its end.
    socket.on('error', () => undefined)
    sockets.add(socket)
    return socket
  }
  onTestFinished(async () => {
    holding.resolve()
    for (const socket of sockets) socket.destroy()
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })
  const plain = (from: string) => known(connectPlain({ host: '127.0.0.1', port, localAddress: from }))
  const secure = (from: string, identity?: Identity, more: ConnectionOptions = {}) =>
    known(
      connect({
        socket: plain(from),
        ca: root.certificate,
        checkServerIdentity: () => undefined,
        ...identity,
        ...more,
      }),
    )
  return {
    door,
    port,
    turned,
    accepted,
    greeted,
    senders,
    failures,
    open: () => open,
    looks: () => looks,
    release() {
      holding.resolve()
      holding = Promise.withResolvers<void>()
    },
    pass(ms) {
      passed += ms
    },
    plain,
    secure,
    async ask(from, identity, body) {
      const { promise, resolve } = Promise.withResolvers<number>()
      const asked = request({ method: 'POST', path: '/', createConnection: () => secure(from, identity) })
      asked.once('response', response => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      asked.once('error', () => resolve(0))
      asked.end(body)
      return promise
    },
  }
}

/** Waits for the end of a connection, in whatever way it comes. */
export async function closed(socket: Socket): Promise<void> {
  if (socket.closed) return
  await new Promise(resolve => socket.once('close', resolve))
}

/** Waits until something holds, as long as the test may last; looks each millisecond, which leaves the processor to others. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setTimeout(resolve, 1))
}
