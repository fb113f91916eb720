/** What was signed comes back byte for byte, though the body of an answer is stored only once. */
import { isUtf8 } from 'node:buffer'
import { canonical, sha256 } from '#protocol/canonical.ts'
import { Receipt } from '#protocol/message.ts'
import type { Entry } from './entry.ts'
import type { Evidence } from './ledger.ts'

/**
 * A signed answer less the body inside its payload, which was durable before there was a signature. Where the body is not
 * found in it, `before` is the whole token and the rest is null.
 */
export type Signed = {
  readonly header: string | null
  readonly before: string
  readonly after: string | null
  readonly signature: string | null
}

/**
 * Takes a signed answer apart. The body is found when the payload holds its canonical text as it is, which is so when the
 * payload was written by `canonical` too; if not, nothing is lost but the room.
 */
export function takeApart(token: string, body: Uint8Array | undefined): Signed {
  const [header, payload, signature, ...rest] = token.split('.')
  if (body !== undefined && body.length > 0 && header && payload && signature && rest.length === 0) {
    const bytes = Buffer.from(payload, 'base64url')
    const at = bytes.indexOf(body)
    const before = bytes.toString('utf8', 0, Math.max(0, at))
    const after = bytes.toString('utf8', at + body.length)
    // What would not come back to the byte is kept whole: base64url in another form, UTF-8 with a fault.
    const exact = isUtf8(bytes) && bytes.toString('base64url') === payload
    if (at >= 0 && exact) return { header, before, after, signature }
  }
  return { header: null, before: token, after: null, signature: null }
}

/** The token that `takeApart` was given. */
export function putTogether({ header, before, after, signature }: Signed, body: string): string {
  if (header === null) return before
  return `${header}.${Buffer.from(before + body + after).toString('base64url')}.${signature}`
}

/** The part of a compact JWS that its signature covers (RFC 7515 section 5.1). */
function signingInput(token: string): string {
  return token.slice(0, Math.max(0, token.lastIndexOf('.')))
}

/**
 * Holds evidence against the digests of its entry: the question by its hash, the answer by the digest of its body and by
 * what it says of its question. Gives the first contradiction in words, or undefined. It does not check signatures: that
 * takes the certificates of that time.
 */
export function contradiction(entry: Entry, { question, answer }: Evidence): string | undefined {
  if (!('questionHash' in entry)) return 'there was no message to hold'
  if (question !== undefined && sha256(signingInput(question)) !== entry.questionHash) {
    return 'the question is not the one that the entry was made for'
  }
  if (answer === undefined) return undefined
  const wanted = 'answerDigest' in entry ? entry.answerDigest : undefined
  if (isBody(answer)) {
    return wanted === undefined || sha256(answer) === wanted ? undefined : 'the answer is not the one that was recorded'
  }
  // What a peer sent in place of an answer is held as it came: it was not accepted, and nothing is bound to it.
  if (entry.kind === 'outcome' && wanted === undefined) return undefined
  const claims = readClaims(answer)
  if (claims === undefined) return 'the answer cannot be read'
  if (wanted !== undefined && digestOf(claims['answer']) !== wanted)
    return 'the answer is not the one that was recorded'
  if (claims['req_hash'] !== entry.questionHash || claims['req_jti'] !== entry.jti) {
    return 'the answer is bound to another question'
  }
  return undefined
}

/** Whether evidence is still the body of an answer that a crash kept from being signed. */
export function isBody(answer: string): boolean {
  return answer.startsWith('{')
}

/** The receipt that rides in a signed answer; undefined where none can be read. */
export function receiptIn(answer: string): Receipt | undefined {
  return Receipt.safeParse(readClaims(answer)?.['receipt']).data
}

function digestOf(value: unknown): string | undefined {
  try {
    return sha256(canonical(value))
  } catch {
    return undefined
  }
}

function readClaims(token: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
    return typeof claims === 'object' && claims !== null ? { ...claims } : undefined
  } catch {
    return undefined
  }
}
