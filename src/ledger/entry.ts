/** An entry has one text, the text one leaf, and a chain of leaves one head: change any of them and the head is another. */
import { hash } from 'node:crypto'
import { z } from 'zod'
import { canonical } from '#protocol/canonical.ts'
import { AgreementRef, CityId, Code, Jti, Receipt, Result, Want } from '#protocol/message.ts'
import { isRefusalCode, type RefusalCode } from '#protocol/refusal.ts'
import type { Uscc } from '#protocol/subject.ts'

const Digest = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
const Refused = z.custom<RefusalCode>(value => typeof value === 'string' && isRefusalCode(value))

/**
 * A subject as the ledger knows it: a code, or `refused` in the place of a text that was none. The form alone is checked
 * here: `readSubject` judged the code when it was asked about, and an old entry must stay readable if that judgement changes.
 */
const Subject = z.union([
  z.custom<Uscc>(value => typeof value === 'string' && /^9[0-9A-HJ-NPQRTUWXY]{17}$/.test(value)),
  z.literal('refused'),
])

/** What an entry may be long at most, for those who read it and for `assertReadable`. */
const most = { matter: 200, department: 80, subjects: 1000, want: 32, outcomes: 1000 }

const exchange = {
  at: z.iso.datetime({ precision: 3 }),
  city: CityId,
  peer: CityId,
  jti: Jti,
  purpose: Code,
  matter: z.string().min(1).max(most.matter),
  agreement: AgreementRef,
  subjects: z.array(Subject).min(1).max(most.subjects).readonly(),
  /** SHA-256 of the question's signing input, base64url. */
  questionHash: Digest,
  /**
   * Until when the evidence that came with the entry is held. The ledger writes it, and nobody else; without it the entry
   * came without evidence. So who removes evidence before its day would have to remove the entry as well.
   */
  heldUntil: z.iso.datetime({ precision: 3 }).optional(),
}

/** A peer asked and was answered: what left, by name, and under which statement of what is withheld; never a value. */
const Answered = z
  .strictObject({
    kind: z.literal('answered'),
    ...exchange,
    /** One for each subject, in the order of `subjects`. */
    status: z.array(Result.shape.status).readonly(),
    /** By family: the names of the fields that left with any of its records, and for each subject the number of records. */
    disclosed: z.record(
      Code,
      z.strictObject({ fields: z.array(Code).readonly(), records: z.array(z.int().min(0)).readonly() }),
    ),
    /** Digest of the answer's `withheld`, which is the same for every question of its kind; the answer holds the text. */
    withheldDigest: Digest,
    /** Digest of the canonical answer body. */
    answerDigest: Digest,
  })
  .refine(entry => entry.status.length === entry.subjects.length, 'one status for each subject')

/** A peer asked, proved who it is, and was refused. */
const RefusedEntry = z.strictObject({ kind: z.literal('refused'), ...exchange, code: Refused })

const outbound = { ...exchange, department: z.string().min(1).max(most.department) }

/** A department of ours is about to ask a peer; durable before the question is sent. */
const Asked = z.strictObject({
  kind: z.literal('asked'),
  ...outbound,
  want: z.array(Want).min(1).max(most.want).readonly(),
})

/** What came of it. A question without an outcome was cut off by a crash: the peer may have answered it. */
const Outcome = z.strictObject({
  kind: z.literal('outcome'),
  ...outbound,
  outcome: z.enum(['answered', 'refused', 'unknown']),
  code: Refused.optional(),
  answerDigest: Digest.optional(),
  /** Where the peer's ledger holds the exchange, as the peer says. */
  receipt: Receipt.optional(),
})

/** A department of ours wanted to ask and was not let: nothing was sent, and it is known who wanted what. */
const Declined = z.strictObject({
  kind: z.literal('declined'),
  at: exchange.at,
  city: CityId,
  /** The city that was to be asked; `*` for all of them. */
  peer: z.union([CityId, z.literal('*')]),
  department: outbound.department,
  purpose: Code,
  matter: exchange.matter,
  subjects: exchange.subjects,
  code: Refused,
})

/**
 * A department of ours is about to be given a signed report, made of the outcomes named here and of our own records. The
 * report itself is not kept: its digest tells whether a file is the one that was given.
 */
const Reported = z.strictObject({
  kind: z.literal('reported'),
  at: exchange.at,
  city: CityId,
  department: outbound.department,
  purpose: Code,
  matter: exchange.matter,
  subjects: exchange.subjects,
  /** Days, both included: the report speaks of what was decided within them. */
  period: z.strictObject({ from: z.iso.date(), to: z.iso.date() }),
  /** The report's own id; not `jti`, which is for messages. */
  report: Jti,
  /** SHA-256 of the canonical report. */
  reportDigest: Digest,
  /** Indexes of the outcomes that it was made of. */
  outcomes: z.array(z.int().min(0)).max(most.outcomes).readonly(),
})

/**
 * Everything the ledger records. A later kind (a change of a list, a reload of the configuration, a look by staff, the
 * expiry of evidence) is one more member here and nothing else: the tables know only the text. One rule binds it: a member
 * named `jti` beside a `peer` says that a message of that peer came in, and the ledger takes such a message once.
 */
export const Entry = z.discriminatedUnion('kind', [Answered, RefusedEntry, Asked, Outcome, Declined, Reported])
export type Entry = z.infer<typeof Entry>

/** The kinds whose `jti` is our own; every other kind that has one is a message of the peer and unique by (peer, jti). */
export const outboundKinds = ['asked', 'outcome'] as const

/**
 * Throws TypeError for an entry that is of its type and would yet not be read back: one such entry makes the ledger fail
 * its verification for ever. Lengths only, since this stands in the path of every answer; forms are for the types to hold.
 */
export function assertReadable(entry: Entry): void {
  const within = (name: string, { length }: string | readonly unknown[], from: number, to: number) => {
    if (length < from || length > to) throw new TypeError(`${name} of an entry has the length ${length}`)
  }
  within('at', entry.at, 24, 24)
  within('matter', entry.matter, 1, most.matter)
  within('subjects', entry.subjects, 1, most.subjects)
  if ('department' in entry) within('department', entry.department, 1, most.department)
  if (entry.kind === 'declined') return
  if (entry.kind === 'reported') {
    within('report', entry.report, 36, 36)
    within('reportDigest', entry.reportDigest, 43, 43)
    within('outcomes', entry.outcomes, 0, most.outcomes)
    return
  }
  if (entry.heldUntil !== undefined) throw new TypeError('heldUntil of an entry is for the ledger to write')
  within('jti', entry.jti, 36, 36)
  within('questionHash', entry.questionHash, 43, 43)
  within('agreement.digest', entry.agreement.digest, 43, 43)
  if (entry.kind === 'asked') within('want', entry.want, 1, most.want)
  if (entry.kind === 'answered') {
    within('status', entry.status, entry.subjects.length, entry.subjects.length)
    within('withheldDigest', entry.withheldDigest, 43, 43)
  }
  if ('answerDigest' in entry && entry.answerDigest !== undefined) within('answerDigest', entry.answerDigest, 43, 43)
}

/**
 * The text of an entry: what is stored, and what is hashed. Throws TypeError for what JSON cannot say. An entry whose members
 * stand in the order of RFC 8785 is written faster.
 */
export function entryText(entry: Entry): string {
  return canonical(entry)
}

/**
 * Reads a text back. Throws when it is not an entry, or not its canonical text: two texts of one entry would be two leaves.
 * Not for the path of an answer; there the type of the entry is proof enough.
 */
export function readEntry(text: string): Entry {
  const entry = Entry.parse(JSON.parse(text))
  if (entryText(entry) !== text) throw new TypeError('the text of the entry is not canonical')
  return entry
}

/** Leaf hash of RFC 6962 section 2.1: SHA-256(0x00 || text). */
export function leafHash(text: string): Uint8Array {
  return hash('sha256', `\u0000${text}`, 'buffer')
}

/** The next link of the chain: SHA-256(0x02 || previous link || leaf). RFC 6962 uses 0x00 and 0x01, so no link is a leaf or a node. */
export function nextLink(previous: Uint8Array, leaf: Uint8Array): Uint8Array {
  // From the engine's pool: an array of more than 64 bytes would be an allocation of its own.
  const input = Buffer.allocUnsafe(65)
  input[0] = 0x02
  input.set(previous, 1)
  input.set(leaf, 33)
  return hash('sha256', input, 'buffer')
}

/** What one ledger is: whose, which, since when. */
export type Identity = { readonly city: string; readonly id: string; readonly created: string }

/** The link before the first entry: SHA-256(0x03 || canonical identity), so that no entry can move to another ledger. */
export function originLink({ city, id, created }: Identity): Uint8Array {
  return hash('sha256', `\u0003${canonical({ city, created, id })}`, 'buffer')
}

/** Bytes of a hash as messages and receipts write them. */
export function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}
