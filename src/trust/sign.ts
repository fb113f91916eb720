/** The only use of the private key: what is signed is a question, an answer made of a disclosure, a refusal of the table, or a recorded report. */
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
/** A payload made by one of the builders below, and not otherwise. */
export type Outgoing = { readonly typ: string; readonly payload: string; readonly [composed]: true } & Partial<Around>

/** What stands in the payload before and after the body of an answer, which the ledger already holds. */
type Around = { readonly around: { readonly before: string; readonly after: string } }

/** A question that our own side of the agreement permits us to ask. */
export function question(claims: Query): Outgoing {
  return { typ: types.query, payload: JSON.stringify(claims) } as Outgoing
}

/**
 * An answer: needs the proof of the question, of what may leave, and of its entry in the ledger. The body goes in as the
 * text that the ledger's digest is of. `jti` is a UUIDv7, `now` epoch milliseconds.
 */
export function answerTo(
  request: Verified<Query>,
  { text }: Disclosure,
  receipt: Durable,
  jti: string,
  now: number,
): Outgoing {
  const claims: Omit<Answer, 'answer'> = { ...binding(request, jti, now), receipt }
  const around = { before: '{"answer":', after: `,${JSON.stringify(claims).slice(1)}` }
  return { typ: types.answer, payload: around.before + text + around.after, around } as Outgoing
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
  return { typ: types.refusal, payload: JSON.stringify(claims) } as Outgoing
}

/** The `typ` of a report: addressed to nobody, so no message between cities can be taken for one, nor one for a message. */
export const REPORT_TYPE = 'credit-report+jwt'

/** A report as its canonical text (RFC 8785). The receipt goes nowhere: it is asked for because what is not recorded is not signed. */
export function report(text: string, _: Durable): Outgoing {
  return { typ: REPORT_TYPE, payload: text } as Outgoing
}

function binding({ claims, hash }: Verified<Query>, jti: string, now: number) {
  return { iss: claims.aud, aud: claims.iss, iat: Math.floor(now / 1000), jti, req_jti: claims.jti, req_hash: hash }
}

/** Signs; gives the token and its signing input, whose digest the other side binds its answer to. */
export function sign({ typ, payload }: Outgoing, signer: Signer): { token: string; signingInput: string } {
  return signer(typ, payload)
}
