/** The only use of the private key: what is signed is a question, an answer made of a disclosure, or a refusal of the table. */
import { sha256 } from '#protocol/canonical.ts'
import {
  type Answer,
  type Disclosure,
  type Durable,
  type Query,
  type RefusalMessage,
  types,
} from '#protocol/message.ts'
import type { Refusal } from '#protocol/refusal.ts'
import type { Signer } from './keys.ts'
import type { Verified } from './verify.ts'

declare const composed: unique symbol
/** Claims made by one of the builders below, and not otherwise. */
export type Outgoing = {
  readonly typ: string
  readonly claims: Query | Answer | RefusalMessage
  readonly [composed]: true
}

/** A question that our own side of the agreement permits us to ask. */
export function question(claims: Query): Outgoing {
  return { typ: types.query, claims } as Outgoing
}

/** An answer: needs the proof of the question, of what may leave, and of its entry in the ledger. `jti` is a UUIDv7, `now` epoch milliseconds. */
export function answerTo(
  request: Verified<Query>,
  answer: Disclosure,
  receipt: Durable,
  jti: string,
  now: number,
): Outgoing {
  const claims: Answer = { ...binding(request, jti, now), answer, receipt }
  return { typ: types.answer, claims } as Outgoing
}

/** A refusal, bound in the same way. Only the public text of the table travels. */
export function refusalTo(
  request: Verified<Query>,
  refusal: Refusal,
  receipt: Durable,
  jti: string,
  now: number,
): Outgoing {
  const claims: RefusalMessage = { ...binding(request, jti, now), refusal: refusal.public, receipt }
  return { typ: types.refusal, claims } as Outgoing
}

function binding({ claims, hash }: Verified<Query>, jti: string, now: number) {
  return { iss: claims.aud, aud: claims.iss, iat: Math.floor(now / 1000), jti, req_jti: claims.jti, req_hash: hash }
}

/** Signs; gives the token and the digest that the other side binds its answer to. */
export function sign({ typ, claims }: Outgoing, signer: Signer): { token: string; hash: string } {
  const { token, signingInput } = signer(typ, JSON.stringify(claims))
  return { token, hash: sha256(signingInput) }
}
