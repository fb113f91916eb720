/** What was signed comes back byte for byte, though the body of an answer is stored only once. */
import { canonical, sha256 } from '#protocol/canonical.ts'
import { Receipt } from '#protocol/message.ts'
import type { Entry } from './entry.ts'
import type { Evidence, SignedAnswer } from './ledger.ts'

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

/** Takes a signed answer apart. Without `around` it is kept whole: nothing is lost but the room. */
export function takeApart({ answer, around }: SignedAnswer): Signed {
  const [header, , signature] = answer.split('.')
  if (around === undefined || header === undefined || signature === undefined) {
    return { header: null, before: answer, after: null, signature: null }
  }
  return { header, ...around, signature }
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
    return sha256(answer) === wanted ? undefined : 'the answer is not the one that was recorded'
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

/**
 * What an entry that came with evidence must have beside it and has not, in words, or undefined: a question that we took
 * or sent, and of an exchange that was answered the answer; of an outcome the answer alone, as `asked` has the question.
 */
export function lacking({ kind }: Entry, { question, answer }: Evidence): string | undefined {
  if (kind !== 'outcome' && question === undefined) return 'the question is not there'
  if ((kind === 'answered' || kind === 'outcome') && answer === undefined) return 'the answer is not there'
  return undefined
}

/** Whether evidence is still the body of an answer that a crash kept from being signed. */
export function isBody(answer: string): boolean {
  return answer.startsWith('{')
}

/**
 * Whether the answer is a body where there ought to be a signed one: a crash can keep our own from being signed, as it is
 * entered before; what a peer answered is entered as it came, signed, or it was no answer.
 */
export function isUnsigned({ kind }: Entry, { answer }: Evidence): boolean {
  return kind !== 'answered' && answer !== undefined && isBody(answer)
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
