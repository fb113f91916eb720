/** What an attacker on the network has: sockets of its own, whatever keys it stole, and a place where a peer should be. */
import { type KeyObject, sign as signBytes } from 'node:crypto'
import { type EventEmitter, once } from 'node:events'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type ConnectionOptions, connect } from 'node:tls'
import { expect } from 'vitest'
import { sha256 } from '#protocol/canonical.ts'
import { Problem, types } from '#protocol/message.ts'
import type { Keys } from '#trust/keys.ts'
import { callerTls } from '../../src/federation.ts'
import { claimsIn, type Running } from '../federation.ts'

export const sun = '91320281250344877K'
export const textile = '91320281XXXXXX0197'
export const person = '11010519491231002X'

/** A question of one of Huizhou's departments. */
export const asking = { peer: 'jiangyin', subjects: [sun], purpose: 'tendering', matter: '惠招〔2026〕118号' }

/** The code that a stranger was told, in a problem that holds nothing else, and of which the ledger of Jiangyin knows nothing. */
export async function toldAsStranger(
  running: Running,
  send: () => Promise<{ readonly status: number; readonly type: string; readonly text: string }>,
): Promise<string> {
  const { ledger } = running.gateway('jiangyin').city
  const before = await ledger.count()
  const { type, text } = await send()
  expect(type).toBe('application/problem+json')
  expect(await ledger.count()).toBe(before)
  return Problem.parse(JSON.parse(text)).code
}

const encoded = (text: string) => Buffer.from(text).toString('base64url')

/** A token made by hand: any header, any payload, signed with any key by ES256. */
export function handmade(header: string | object, payload: string | object, key: KeyObject): string {
  const [first, second] = [header, payload].map(each => encoded(typeof each === 'string' ? each : JSON.stringify(each)))
  const input = `${first}.${second}`
  const signature = signBytes('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

/** The header of a token, for making another that looks like it. */
export function headerOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString())
}

/** A question that Huizhou really signed for Jiangyin. */
export async function genuine(running: Running, over: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const { keys } = await running.identity('huizhou')
  return keys.signer(types.query, JSON.stringify(running.claims('huizhou', 'jiangyin', over))).token
}

/** A place that nobody should ever call: an address, and how often it was called. */
export async function trap() {
  let visits = 0
  const server = createServer(socket => {
    visits += 1
    socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = addressOf(server.address())
  return {
    url: `https://127.0.0.1:${port}/`,
    visits: () => visits,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}

function addressOf(address: AddressInfo | string | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('not listening')
  return address
}

export type Said = {
  readonly status?: number
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  /** What is sent; a stream goes on until the caller has enough. */
  readonly body: string | AsyncIterable<string>
}

/**
 * Takes the place of Jiangyin at its address, with its own transport key or that of `shown`, and says to each question what
 * it is told to; nothing at all for undefined. To whoever only asks who it is, it says `introduction`. The gateway itself is
 * back when this is disposed of.
 */
export async function standIn(
  running: Running,
  behave: (question: Record<string, unknown>, token: string, keys: Keys) => Promise<Said | undefined>,
  { shown = 'jiangyin', introduction = { status: 404, body: '' } }: { shown?: string; introduction?: Said } = {},
) {
  await running.stop('jiangyin')
  const { keys } = await running.identity('jiangyin')
  const { keys: other } = await running.identity(shown)
  const { peersListen } = running.federation.city('jiangyin').settings
  let questions = 0
  const server = createHttps({ key: other.transport.keyPem, cert: other.transport.pem }, (incoming, outgoing) => {
    const asks = incoming.method === 'POST'
    if (asks) questions += 1
    let token = ''
    const gone = happens(outgoing, 'close')
    incoming.setEncoding('latin1').on('data', chunk => (token += chunk))
    incoming.on('end', async () => {
      const said = asks ? await behave(questionIn(token), token, keys) : introduction
      if (said === undefined) return
      const type = said.type ?? `application/${types.answer}`
      outgoing.writeHead(said.status ?? 200, { 'content-type': type, ...said.headers })
      for await (const piece of typeof said.body === 'string' ? [said.body] : said.body) {
        if (outgoing.destroyed) return
        if (!outgoing.write(piece)) await Promise.race([happens(outgoing, 'drain'), gone])
      }
      outgoing.end()
    })
  })
  server.listen(peersListen.port, peersListen.host)
  await once(server, 'listening')
  return {
    questions: () => questions,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
      await running.start('jiangyin')
    },
  }
}

/** The claims of a question; none of one that is sealed. */
function questionIn(token: string): Record<string, unknown> {
  return token.split('.').length === 3 ? claimsIn(token) : {}
}

/** The claims of an answer that is right in every way, but for what `over` and `body` say. */
export function answerTo(
  question: Record<string, unknown>,
  token: string,
  over: Readonly<Record<string, unknown>> = {},
  body: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const want: unknown[] = Array.isArray(question['want']) ? question['want'] : []
  const families = want.map(each => Object(each).family)
  return {
    iss: 'jiangyin',
    aud: 'huizhou',
    iat: Math.floor(Date.now() / 1000),
    jti: question['jti'],
    req_jti: question['jti'],
    req_hash: sha256(token.slice(0, token.lastIndexOf('.'))),
    answer: {
      agreement: question['agreement'],
      purpose: question['purpose'],
      withheld: [],
      freshness: families.map(family => ({ family, status: 'fresh' })),
      results: [{ subject: sun, status: 'answered', records: [] }],
      ...body,
    },
    receipt: { index: 0, leaf: 'A'.repeat(43), link: 'A'.repeat(43), at: '2026-11-22T00:00:00.000Z' },
    ...over,
  }
}

/** What a department of Huizhou is told of Jiangyin. Whatever went wrong, it can never be read as a clean record. */
export async function outcome(running: Running, over: Readonly<Record<string, unknown>> = {}) {
  const { status, body } = await running.ask('huizhou', { ...asking, ...over })
  expect(status).toBe(200)
  const [peer] = body.peers
  if (peer?.outcome !== 'answered')
    expect(peer?.results).toMatchObject([{ subject: sun, status: 'unknown', records: [] }])
  return [peer?.outcome, peer?.reason?.code]
}

/** A TLS connection to the peers' port of Jiangyin, with the certificate of Huizhou unless told otherwise. */
export async function connection(running: Running, over: ConnectionOptions = {}): Promise<Socket> {
  const { keys, members } = await running.identity('huizhou')
  const { port } = new URL(running.gateway('jiangyin').peersUrl)
  const socket = connect({ port: Number(port), host: '127.0.0.1', ...callerTls(keys, members), ...over })
  socket.on('error', () => undefined)
  await Promise.race([happens(socket, 'secureConnect'), happens(socket, 'close')])
  return socket
}

/** Waits for an event, and takes no error for an answer, as `once` of node:events would. */
export function happens(emitter: EventEmitter, event: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  emitter.once(event, () => resolve())
  return promise
}

/** All that a server says over a connection until it ends it. */
export async function heard(socket: Socket): Promise<string> {
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  if (!socket.closed) await happens(socket, 'close')
  return text
}

/** The first lines of a question over HTTP. */
export function head(more = ''): string {
  return `POST /query HTTP/1.1\r\nhost: jiangyin\r\ncontent-type: application/${types.query}\r\n${more}`
}

/** Whether an honest question of Huizhou is answered meanwhile. */
export async function served(running: Running): Promise<void> {
  expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
}
