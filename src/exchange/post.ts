/** A question reaches the one pinned address of a peer over mutual TLS; what comes back is bounded in time and size. */
import type { Pool } from 'undici'
import { limits, Problem, types } from '#protocol/message.ts'
import { type Refusal, refuse } from '#protocol/refusal.ts'
import type { Keys } from '#trust/keys.ts'
import { type Member, type Members, provePeer, type Shown } from '#trust/members.ts'

/** What a peer sent back, not yet verified. */
type Reply = { readonly kind: 'answer' | 'refusal'; readonly token: string }

export type Post = {
  /** Sends a question to a member. Throws `peer.unreachable`, `peer.slow`, `peer.refused` or `peer.answer`. */
  send(peer: Member, token: string): Promise<Reply>
  close(): Promise<void>
}

/** One pool of connections for each peer, made when first used. `timeout` is milliseconds for the whole exchange. */
export function openPost(keys: Keys, members: Members, now: () => number, timeout: number): Post {
  const pools = new Map<string, Pool>()
  const poolOf = async (peer: Member) => {
    // Loaded when first needed: a gateway that only answers does without it, and without its memory.
    const { Pool } = await import('undici')
    let pool = pools.get(peer.id)
    if (pool === undefined) {
      pool = new Pool(new URL(peer.endpoint).origin, {
        connections: 16,
        connect: {
          timeout,
          ca: members.anchors.rootsPem,
          cert: keys.transport.pem,
          key: keys.transport.keyPem,
          minVersion: 'TLSv1.3',
          // Not the host name: the peer is who its certificate says, by our own validator.
          checkServerIdentity: (_host: string, certificate: Shown) => identity(peer, certificate, members, now()),
        },
        headersTimeout: timeout,
        bodyTimeout: timeout,
        maxResponseSize: limits.answerBytes,
        pipelining: 1,
        // Shorter than the peer's, so that a connection it is about to close is not chosen.
        keepAliveTimeout: 4_000,
      })
      pools.set(peer.id, pool)
    }
    return pool
  }
  return {
    send: async (peer, token) => exchange(await poolOf(peer), new URL(peer.endpoint), token, timeout),
    close: async () => {
      await Promise.all([...pools.values()].map(pool => pool.close()))
    },
  }
}

function identity(peer: Member, certificate: Shown, members: Members, now: number): Error | undefined {
  try {
    const city = provePeer(certificate, members, now)
    return city === peer.id
      ? undefined
      : refuse('peer.unreachable', `the address of ${peer.id} shows a certificate of ${city}`)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

async function exchange(pool: Pool, endpoint: URL, token: string, timeout: number): Promise<Reply> {
  try {
    const response = await pool.request({
      method: 'POST',
      path: `${endpoint.pathname.replace(/\/$/, '')}/query`,
      headers: { 'content-type': `application/${types.query}`, accept: `application/${types.answer}` },
      body: token,
      signal: AbortSignal.timeout(timeout),
    })
    const type = String(response.headers['content-type'] ?? '').split(';')[0]
    const text = await response.body.text()
    if (response.statusCode === 200 && type === `application/${types.answer}`) return { kind: 'answer', token: text }
    if (type === `application/${types.refusal}`) return { kind: 'refusal', token: text }
    if (type === 'application/problem+json') throw unsigned(text)
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
