/** A question reaches the one pinned address of a peer over mutual TLS; what comes back is bounded in time and size. */
import type { Pool } from 'undici'
import { limits, Problem, types } from '#protocol/message.ts'
import { type Refusal, refuse } from '#protocol/refusal.ts'
import type { Peer, Shown } from '#trust/anchors.ts'
import type { Keys } from '#trust/keys.ts'
import type { Member, Members } from '#trust/members.ts'
import { SEALED, sealedLength } from '#trust/seal.ts'
import { STATEMENT_TYPE } from '#trust/statement.ts'

/** What a peer sent back, not yet verified. */
type Reply = { readonly kind: 'answer' | 'refusal'; readonly token: string }

export type Post = {
  /**
   * Sends a question to a member, as a sealed one or a plain one, and takes a reply of the same sort alone. Throws
   * `peer.unreachable`, `peer.slow`, `peer.refused` or `peer.answer`.
   */
  send(peer: Member, token: string, sealed: boolean): Promise<Reply>
  /** What a member says of itself, not yet verified, and the time of its clock; with its roll if that is above `number`. Throws as `send` does. */
  introduction(peer: Member, number: number): Promise<{ readonly token: string; readonly date: string }>
  /** Asks a member for something of its log, or brings it something: a POST where there is a body. Throws as `send` does. */
  fetch(peer: Member, path: string, body?: string): Promise<{ readonly status: number; readonly text: string }>
  close(): Promise<void>
}

/** Where a member publishes its statement about itself (OpenID Federation 1.0 section 9). */
export const INTRODUCTION = '/.well-known/openid-federation'

/** The media type of a statement (OpenID Federation 1.0 section 9.2). */
export const STATEMENT = `application/${STATEMENT_TYPE}`

type Opened = {
  readonly pool: Pool
  readonly shown: Map<string, Peer>
  readonly endpoint: string
  readonly transport: Keys['transport']
}

/**
 * One pool of connections for each peer, made when first used, and made anew when the peer's address or our own transport key
 * has become another. `timeout` is milliseconds for the whole exchange.
 */
export function openPost(keys: () => Keys, members: Members, now: () => number, timeout: number): Post {
  const pools = new Map<string, Opened>()
  const poolOf = async (peer: Member) => {
    // Loaded when first needed: a gateway that only answers does without it, and without its memory.
    const { Pool } = await import('undici')
    const { transport } = keys()
    const { endpoint } = peer
    let opened = pools.get(peer.id)
    const isProved = opened === undefined || [...opened.shown.values()].every(each => isOf(peer.id, each, now()))
    if (opened?.endpoint !== endpoint || opened.transport !== transport || !isProved) {
      // What is under way on the old one is still answered.
      if (opened !== undefined) void (isProved ? opened.pool.close() : opened.pool.destroy())
      const shown = new Map<string, Peer>()
      const pool = new Pool(new URL(endpoint).origin, {
        connections: 16,
        connect: {
          timeout,
          ca: members.anchors.rootsPem,
          cert: transport.pem,
          key: transport.keyPem,
          minVersion: 'TLSv1.3',
          // On a resumed session node:tls asks nobody who the peer is.
          maxCachedSessions: 0,
          // Not the host name: the peer is who its certificate says, by our own validator.
          checkServerIdentity: (_host: string, certificate: Shown) =>
            identity(peer, certificate, members, now(), shown),
        },
        headersTimeout: timeout,
        bodyTimeout: timeout,
        maxResponseSize: sealedLength(limits.answerBytes),
        pipelining: 1,
        // Shorter than the peer's, so that a connection it is about to close is not chosen.
        keepAliveTimeout: 4_000,
      })
      opened = { pool, shown, endpoint, transport }
      pools.set(peer.id, opened)
    }
    return opened.pool
  }
  return {
    send: async (peer, token, sealed) => exchange(await poolOf(peer), new URL(peer.endpoint), token, sealed, timeout),
    introduction: async (peer, number) => introduce(await poolOf(peer), new URL(peer.endpoint), number, timeout),
    fetch: async (peer, path, body) => {
      try {
        const { statusCode, body: answer } = await (await poolOf(peer)).request({
          method: body === undefined ? 'GET' : 'POST',
          path: pathOf(new URL(peer.endpoint), path),
          ...(body !== undefined && { body, headers: { 'content-type': 'text/plain; charset=utf-8' } }),
          signal: AbortSignal.timeout(timeout),
        })
        return { status: statusCode, text: await answer.text() }
      } catch (error) {
        throw toRefusal(error)
      }
    },
    close: async () => {
      await Promise.all([...pools.values()].map(({ pool }) => pool.close()))
    },
  }
}

function identity(peer: Member, certificate: Shown, members: Members, now: number, shown: Map<string, Peer>) {
  try {
    const found = members.connected(certificate, now)
    const city = found.city(now)
    if (city === peer.id) shown.set(Buffer.from(certificate.raw).toString('base64'), found)
    return city === peer.id
      ? undefined
      : refuse('peer.unreachable', `the address of ${peer.id} shows a certificate of ${city}`)
  } catch (error) {
    return refuse('peer.unreachable', error instanceof Error ? error.message : String(error), error)
  }
}

/** Whether a connection that was opened as this city's still is, by the lists and the time of now. */
function isOf(city: string, shown: Peer, now: number): boolean {
  try {
    return shown.city(now) === city
  } catch {
    return false
  }
}

function pathOf(endpoint: URL, path: string): string {
  return endpoint.pathname.replace(/\/$/, '') + path
}

async function introduce(pool: Pool, endpoint: URL, number: number, timeout: number) {
  try {
    const { statusCode, headers, body } = await pool.request({
      method: 'GET',
      path: `${pathOf(endpoint, INTRODUCTION)}?roll=${number}`,
      headers: { accept: STATEMENT },
      signal: AbortSignal.timeout(timeout),
    })
    const token = await body.text()
    if (statusCode !== 200 || headers['content-type'] !== STATEMENT) throw refuse('peer.answer', `status ${statusCode}`)
    return { token, date: String(headers['date'] ?? '') }
  } catch (error) {
    throw toRefusal(error)
  }
}

async function exchange(pool: Pool, endpoint: URL, token: string, sealed: boolean, timeout: number): Promise<Reply> {
  const [question, answer, refusal] = [types.query, types.answer, types.refusal].map(
    typ => `application/${sealed ? SEALED : typ}`,
  )
  try {
    const response = await pool.request({
      method: 'POST',
      path: pathOf(endpoint, '/query'),
      headers: { 'content-type': question, accept: answer },
      body: token,
      signal: AbortSignal.timeout(timeout),
    })
    const type = String(response.headers['content-type'] ?? '').split(';')[0]
    const text = await response.body.text()
    if (type === 'application/problem+json') throw unsigned(text)
    if (!sealed && text.length > limits.answerBytes) throw refuse('peer.answer', 'larger than allowed')
    // What is inside a sealed reply its status says first, and the seal and the signature have to agree.
    if (response.statusCode === 200 && type === answer) return { kind: 'answer', token: text }
    if (response.statusCode !== 200 && type === refusal) return { kind: 'refusal', token: text }
    throw refuse('peer.answer', `status ${response.statusCode}, ${type || 'no media type'}`)
  } catch (error) {
    throw toRefusal(error)
  }
}

/** A plain problem proves nothing of who said it; it is told on as the peer not taking the question, and its code only logged. */
function unsigned(text: string): Refusal {
  try {
    const problem = Problem.safeParse(JSON.parse(text))
    return refuse('peer.refused', problem.success ? problem.data.code : 'a problem of unknown form')
  } catch (error) {
    return refuse('peer.answer', 'a problem that is not JSON', error)
  }
}

/** By the names that undici documents for its errors. */
function toRefusal(error: unknown): unknown {
  const { name, message } = error instanceof Error ? error : { name: '', message: 'no connection' }
  switch (name) {
    case 'Refusal':
      return error
    case 'ResponseExceededMaxSizeError':
      return refuse('peer.answer', 'larger than allowed', error)
    case 'HeadersTimeoutError':
    case 'BodyTimeoutError':
    case 'TimeoutError':
      return refuse('peer.slow', message, error)
    default:
      return refuse('peer.unreachable', message, error)
  }
}
