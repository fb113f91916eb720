/** The messages that cross between two cities, each as a schema that accepts nothing else (docs/protocol.md). */
import { z } from 'zod'
import { sha256 } from './canonical.ts'
import { refusalCodes } from './refusal.ts'
import { subjectKinds } from './subject.ts'

/** The `typ` of each kind of message; a message of one kind is never taken for another (RFC 8725bis). */
export const types = {
  query: 'credit-query+jwt',
  answer: 'credit-answer+jwt',
  refusal: 'credit-refusal+jwt',
} as const

export const limits = {
  /** Characters of a question as sent; 100 subjects and every field fit four times over. */
  queryBytes: 64 * 1024,
  /** Bytes of an answer that the asking side reads before it gives up. */
  answerBytes: 8 * 1024 * 1024,
  subjects: 100,
  /** Seconds between `iat` and `exp`. */
  lifetime: 300,
  /** Seconds by which two honest clocks may differ. */
  skew: 10,
} as const

const name = (length: number) => z.string().min(1).max(length)
/** Names and codes go into logs and ledgers, so nothing shaped like a subject's or a person's number is one. */
const NO_NUMBER = '(?!.*(?:[0-9]{8}[0-9a-zA-Z]{10}|[0-9]{11}))'
export const CityId = z.string().regex(new RegExp(`^${NO_NUMBER}[a-z][a-z0-9-]{1,30}$`))
/** A word of the vocabulary, or a name. */
export const Code = z.string().regex(new RegExp(`^${NO_NUMBER}[a-z0-9][a-zA-Z0-9.-]{0,63}$`))
const SHORT_ID = /^[A-Za-z0-9_.:-]{1,10}$/
const RECORD_ID = new RegExp(`^${NO_NUMBER}[A-Za-z0-9_.:-]{1,80}$`)

/** Whether a text can be the id of a record on the wire. */
export function isRecordId(text: string): boolean {
  // Too short for anybody's number: nearly every id, and the look for one is what costs.
  return text.length < 11 ? SHORT_ID.test(text) : RECORD_ID.test(text)
}

/**
 * An id for what cannot travel under its own: 132 bits, enough that no two records of a city ever share one. In groups of eight,
 * for one digest in a million has the digits of somebody's number, and would not be an id either.
 */
export function digestId(text: string): string {
  const all = sha256(text)
  return `${all.slice(0, 8)}.${all.slice(8, 16)}.${all.slice(16, 22)}`
}

const Hash = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
/** RFC 9562 version 7: time-ordered, so that the ledger's uniqueness index grows at its end and stays cheap. */
export const Jti = z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
export const Seconds = z.int().min(1_500_000_000).max(4_102_444_800)
/** A calendar date, or `indefinite` for what has no end (长期). */
export const RecordDate = z.union([z.iso.date(), z.literal('indefinite')])
/** An instant in UTC. */
export const Instant = z.iso.datetime()
const Refused = z.enum(refusalCodes)

export const AgreementRef = z.strictObject({ id: Code, digest: Hash })
export type AgreementRef = z.infer<typeof AgreementRef>

/** What is asked for: a family of records, and within it the fields by name, or all that the agreement permits. */
export const Want = z.strictObject({ family: Code, fields: z.array(Code).min(1).max(64).optional() })
export type Want = z.infer<typeof Want>

/**
 * A question. `subjects` are texts here on purpose: each is judged, and refused, for itself, by a stage that answers under
 * signature; the same holds for their number. The bounds below only keep a message readable.
 */
export const Query = z.strictObject({
  iss: CityId,
  aud: CityId,
  iat: Seconds,
  nbf: Seconds,
  exp: Seconds,
  jti: Jti,
  agreement: AgreementRef,
  purpose: Code,
  matter: name(200),
  subjects: z.array(name(64)).min(1).max(1000),
  want: z.array(Want).min(1).max(32),
})
export type Query = z.infer<typeof Query>

const Original = name(4096)
/** Exact decimal digits; never a binary fraction. */
const Digits = z.string().regex(/^-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,6})?$/)

/** One field's value. Coded values keep the word they were made from; what did not translate is only that word. */
export const Value = z.union([
  z.string().max(8192),
  z.strictObject({ amount: Digits, currency: z.string().regex(/^[A-Z]{3}$/), unit: z.literal('1') }),
  z.strictObject({ code: Code, original: Original }),
  z.strictObject({ codes: z.array(Code).min(1).max(16), ambiguous: z.literal(true).optional(), original: Original }),
  z.strictObject({ untranslated: Original }),
])
export type Value = z.infer<typeof Value>

/** A record as it travels. */
export const WireRecord = z.strictObject({
  id: z.string().regex(RECORD_ID),
  family: Code,
  fields: z.record(Code, Value),
  /** The subject has objected and the objection is pending (异议). */
  objection: z.literal(true).optional(),
  /** Fields whose text was masked before it left. */
  masked: z.array(Code).optional(),
  /** 地方提示: it lacks what makes a list of a list, or was made by counting; never an entry on a severe list. */
  notice: z.literal(true).optional(),
  /** A restriction that holds in the territory of who imposed it alone (information only elsewhere). */
  territorial: z.literal(true).optional(),
})
export type WireRecord = z.infer<typeof WireRecord>

/**
 * Something asked for that is not given: fields, kinds of subject or the whole family by a rule, or records by any of several
 * rules. It says what kind of thing, never whether one exists.
 */
export const Withheld = z.union([
  z.strictObject({ family: Code, rule: Refused }),
  z.strictObject({ family: Code, fields: z.array(Code).min(1), rule: Refused }),
  z.strictObject({ family: Code, kinds: z.array(z.enum(subjectKinds)).min(1), rule: Refused }),
  z.strictObject({ family: Code, records: z.array(Refused).min(1) }),
])
export type Withheld = z.infer<typeof Withheld>

/** How fresh a family's source was when it answered. */
export const Freshness = z.strictObject({
  family: Code,
  asOf: Instant.optional(),
  status: z.enum(['fresh', 'stale', 'unknown']),
})
export type Freshness = z.infer<typeof Freshness>

/** What is known about one subject. Its place in the list is the place of its question; a refused text is not echoed. */
export const Result = z.strictObject({
  subject: z.string().length(18).optional(),
  status: z.enum(['answered', 'unknown', 'stale', 'refused']),
  rule: Refused.optional(),
  doubt: z.literal('check-character').optional(),
  records: z.array(WireRecord).max(1000),
  /** Families of which nothing can be said, and why; never to be read as "no records". */
  unknown: z.array(z.strictObject({ family: Code, rule: Refused })).optional(),
})
export type Result = z.infer<typeof Result>

/** Where the ledger of the answering city holds this exchange. */
export const Receipt = z.strictObject({ index: z.int().min(0), leaf: Hash, link: Hash, at: Instant })
export type Receipt = z.infer<typeof Receipt>

declare const durable: unique symbol
/** A receipt whose entry is on disk. Only a ledger's `append` makes one. */
export type Durable = Receipt & { readonly [durable]: true }

const binding = { iss: CityId, aud: CityId, iat: Seconds, jti: Jti, req_jti: Jti, req_hash: Hash }

export const AnswerBody = z.strictObject({
  agreement: AgreementRef,
  purpose: Code,
  withheld: z.array(Withheld),
  freshness: z.array(Freshness),
  results: z.array(Result).min(1).max(limits.subjects),
})
export type AnswerBody = z.infer<typeof AnswerBody>

declare const permitted: unique symbol
/** An answer body in which every field is permitted, and its RFC 8785 text. Only `agreement/disclose.ts` makes one. */
export type Disclosure = { readonly body: AnswerBody; readonly text: string; readonly [permitted]: true }

export const Answer = z.strictObject({ ...binding, answer: AnswerBody, receipt: Receipt })
export type Answer = z.infer<typeof Answer>

export const RefusalMessage = z.strictObject({
  ...binding,
  refusal: z.strictObject({ code: Refused, zh: name(200), en: name(200) }),
  receipt: Receipt,
})
export type RefusalMessage = z.infer<typeof RefusalMessage>

/** RFC 9457 problem document: all that an unverified caller is told. */
export const Problem = z.strictObject({
  type: z.literal('about:blank'),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: Refused,
  zh: z.string(),
})
export type Problem = z.infer<typeof Problem>
