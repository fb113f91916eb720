/** A message becomes `Verified` only here, after every check; a stranger goes no further. */
import { setTimeout } from 'node:timers/promises'
import type { z } from 'zod'
import { sha256 } from '#protocol/canonical.ts'
import { readJson } from '#protocol/json.ts'
import { Answer, limits, Query, RefusalMessage, types } from '#protocol/message.ts'
import { refuse } from '#protocol/refusal.ts'
import { type CertifiedKey, proveKey } from './anchors.ts'
import { decode, type Header, proves, readJws } from './jws.ts'
import type { Member, Members } from './members.ts'
import { type Kind, type Opener, unseal } from './seal.ts'

declare const proved: unique symbol
/** Claims that a member signed for us, now, once. */
export type Verified<T> = {
  readonly claims: T
  readonly member: Member
  /** The signed message, without the seal that was around it. */
  readonly token: string
  readonly sealed: boolean
  /** SHA-256 of the signing input: what the answer binds itself to. */
  readonly hash: string
  readonly [proved]: true
}

/** A message as it came in: its text, whether its media type says that it is sealed, and the city that the connection's certificate names. */
export type Received = { readonly token: string; readonly sealed: boolean; readonly city: string }

/** What verification needs to know of us. */
export type Verifier = {
  readonly id: string
  readonly members: Members
  /** Our keys for what is sealed for us, those of this instant. */
  readonly openers: () => ReadonlyMap<string, Opener>
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Whether a question with this jti of this peer is in the ledger. */
  readonly seen: (peer: string, jti: string) => boolean | Promise<boolean>
  /** Asks a city what keys it has now, at the address of the roll and no more often than it may be bothered; never throws. */
  readonly acquaint: (city: string) => Promise<void>
}

/**
 * Verifies a question (docs/protocol.md section 3). Throws `form.*` and `token.*`. Replay is asked last, so that nothing
 * is remembered for a message that was never proved.
 */
export async function verify(received: Received, us: Verifier): Promise<Verified<Query>> {
  const query = await authenticate(received, types.query, Query, us)
  const { iat, nbf, exp, jti, iss } = query.claims
  const now = us.now() / 1000
  if (exp <= now - limits.skew) throw refuse('token.expired')
  if (nbf > now + limits.skew || iat > now + limits.skew) throw refuse('token.future')
  if (exp - iat > limits.lifetime || exp <= iat || nbf < iat || nbf > exp) throw refuse('token.window')
  if (Math.abs(madeAt(jti) - iat) > limits.lifetime) throw refuse('token.claims', 'jti of another time')
  if (await us.seen(iss, jti)) throw refuse('token.replayed')
  return query
}

/** The epoch seconds in a UUIDv7 (RFC 9562 section 5.7): with a true time in it, the ledger's index of them grows at its end. */
function madeAt(jti: string): number {
  return Number.parseInt(jti.slice(0, 8) + jti.slice(9, 13), 16) / 1000
}

/** What an answer must be bound to; it is sealed exactly where the question was. */
export type Asked = { readonly jti: string; readonly hash: string; readonly peer: string; readonly sealed: boolean }

/** Verifies an answer against the question it claims to answer. Throws `form.*`, `token.*`, and `peer.answer` where it is bound to another. */
export async function verifyAnswer(token: string, asked: Asked, us: Verifier): Promise<Verified<Answer>> {
  return bound(await authenticate(replyTo(asked, token), types.answer, Answer, us), asked, us)
}

/** Verifies a signed refusal in the same way. */
export async function verifyRefusal(token: string, asked: Asked, us: Verifier): Promise<Verified<RefusalMessage>> {
  return bound(await authenticate(replyTo(asked, token), types.refusal, RefusalMessage, us), asked, us)
}

function replyTo({ peer, sealed }: Asked, token: string): Received {
  return { token, sealed, city: peer }
}

function bound<T extends Answer | RefusalMessage>(message: Verified<T>, asked: Asked, us: Verifier): Verified<T> {
  const { req_jti, req_hash, iat } = message.claims
  if (req_jti !== asked.jti || req_hash !== asked.hash) throw refuse('peer.answer', 'answers another question')
  const now = us.now() / 1000
  if (iat > now + limits.skew || iat < now - limits.lifetime) throw refuse('peer.answer', 'made at another time')
  return message
}

/** Seal, form, issuer, key, certificate, signature, claims, audience: in this order, so that the cheap comes first and belief last. */
async function authenticate<T extends { iss: string; aud: string }>(
  received: Received,
  typ: Kind,
  schema: z.ZodType<T>,
  us: Verifier,
): Promise<Verified<T>> {
  const { sealed, city: connected } = received
  const token = sealed ? await unseal(received.token, typ, us.openers()) : received.token
  const jws = readJws(token, typ)
  const payload = readJson(decode(jws.payload))
  const member = typeof payload['iss'] === 'string' ? us.members.find(payload['iss']) : undefined
  if (member === undefined) throw refuse('token.issuer')
  if (member.id !== connected) throw refuse('token.transport', `${member.id} over a connection of ${connected}`)
  const key = keyOf(member, jws.header) ?? (await newKeyOf(member, jws.header, us))
  if (key.alg !== jws.header.alg) throw refuse('token.algorithm', 'not the algorithm of this key')
  proveKey(member.id, key, us.members.anchors, us.now())
  if (!proves(jws, key.key)) throw refuse('token.signature')
  if (payload['aud'] !== us.id) throw refuse('token.audience')
  const claims = schema.safeParse(payload)
  if (!claims.success)
    throw refuse('token.claims', claims.error.issues.map(issue => `${issue.path.join('.')} ${issue.code}`).join(', '))
  return { claims: claims.data, member, token, sealed, hash: sha256(jws.signingInput) } as Verified<T>
}

function keyOf({ keys }: Member, { kid, 'x5t#S256': thumbprint }: Header): CertifiedKey | undefined {
  const key = keys.get(kid)
  return key?.thumbprint === thumbprint ? key : undefined
}

/** How long a message with an unknown key waits for news of its sender; milliseconds. An honest city answers in some tens. */
const PATIENCE = 1_000

/** A key that the city has published since it was last asked, or `token.signature`. */
async function newKeyOf({ id }: Member, header: Header, us: Verifier): Promise<CertifiedKey> {
  // Whoever names an unknown key holds a place meanwhile, and the city named may be silent on purpose.
  await Promise.race([us.acquaint(id), setTimeout(PATIENCE, undefined, { ref: false })])
  const member = us.members.find(id)
  const key = member && keyOf(member, header)
  if (key === undefined) throw refuse('token.signature', 'no such key')
  return key
}
