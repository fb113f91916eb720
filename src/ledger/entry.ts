/** An entry has one text, the text one leaf, and a chain of leaves one head: change any of them and the head is another. */
import { hash } from 'node:crypto'
import { z } from 'zod'
import { canonical } from '#protocol/canonical.ts'
import { AgreementRef, CityId, Code, isRecordId, Jti, Receipt, Result, Want } from '#protocol/message.ts'
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
const most = {
  matter: 200,
  department: 80,
  subjects: 1000,
  want: 32,
  outcomes: 1000,
  staff: 80,
  seen: 1000,
  filter: 1000,
  reason: 400,
  files: 10_000,
}

const Index = z.int().min(0)
const Instant = z.iso.datetime({ precision: 3 })

const exchange = {
  at: Instant,
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
  heldUntil: Instant.optional(),
}

/**
 * What left of one family: the names of the fields that left with any of its records, and for each subject the number of
 * records. Since ids are entered, also which ones: when a record ends, all who were given it are found by them.
 */
const Disclosed = z
  .strictObject({
    fields: z.array(Code).readonly(),
    ids: z
      .array(z.array(z.custom<string>(value => typeof value === 'string' && isRecordId(value))).readonly())
      .optional(),
    records: z.array(Index).readonly(),
  })
  .refine(
    ({ ids, records }) =>
      ids === undefined || (ids.length === records.length && ids.every((of, i) => of.length === records[i])),
    'as many ids as records, for each subject',
  )

/** A peer asked and was answered: what left, by name, and under which statement of what is withheld; never a value. */
const Answered = z
  .strictObject({
    kind: z.literal('answered'),
    ...exchange,
    /** One for each subject, in the order of `subjects`. */
    status: z.array(Result.shape.status).readonly(),
    /** By family. */
    disclosed: z.record(Code, Disclosed),
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
  outcomes: z.array(Index).max(most.outcomes).readonly(),
})

const Staff = z.string().min(1).max(most.staff)

/** One of our staff looked, asked, or was not let in: who looks at whose file stands where the questions of peers stand. */
const StaffEntry = z.strictObject({
  kind: z.literal('staff'),
  at: Instant,
  city: CityId,
  /** The account's name; of a sign-in that was refused `unknown` where there is no such account, for what was typed may be a password. */
  staff: Staff,
  /** What they are; of a sign-in that was refused `viewer`, since nobody was anything more. */
  role: z.enum(['viewer', 'auditor', 'operator']),
  action: z.enum([
    'signed-in',
    'sign-in-refused',
    'signed-out',
    'refused',
    'viewed',
    'asked',
    'exported',
    'verified',
    'held',
    'acknowledged',
  ]),
  page: Code,
  /** Whose files were shown, and which entries. */
  subjects: z.array(Subject).max(most.seen).readonly(),
  entries: z.array(Index).max(most.seen).readonly(),
  /** What was looked for, as the page's address says it. */
  filter: z.string().min(1).max(most.filter).optional(),
})

/** Evidence of the entries from `from` up to, not including, `until` was let go because its days were over. */
const Expired = z
  .strictObject({
    kind: z.literal('expired'),
    at: Instant,
    city: CityId,
    from: Index,
    until: Index,
    /** How many of them had evidence until then. */
    count: Index,
    retentionDays: z.int().min(1),
  })
  .refine(({ from, until, count }) => count <= until - from, 'no more evidence than entries')

/** Evidence is kept beyond its days, or no longer: of these subjects, of this time, or where neither is named all. */
const Held = z.strictObject({
  kind: z.literal('held'),
  at: Instant,
  city: CityId,
  staff: Staff,
  /** The hold's own name, by which it is lifted. */
  hold: Code,
  action: z.enum(['placed', 'lifted']),
  reason: z.string().min(1).max(most.reason),
  subjects: z.array(Subject).min(1).max(most.subjects).readonly().optional(),
  /** Instants of the entries: `from` included, `until` not. */
  from: Instant.optional(),
  until: Instant.optional(),
})

/** The configuration that holds from here on, taken at a start or a reload. */
const Configured = z.strictObject({
  kind: z.literal('configured'),
  at: Instant,
  city: CityId,
  /** By file, as its path stands in the configuration: the digest of what was read. */
  digests: z.record(z.string().min(1), Digest),
  /** The files that differ from those of the entry before, in order; added and removed ones too. */
  changed: z.array(z.string().min(1)).max(most.files).readonly(),
})

/**
 * Everything the ledger records. A later kind (a change of a list) is one more member here and nothing else: the tables know
 * only the text. One rule binds it: a member named `jti` beside a `peer` says that a message of that peer came in, and the
 * ledger takes such a message once.
 */
export const Entry = z.discriminatedUnion('kind', [
  Answered,
  RefusedEntry,
  Asked,
  Outcome,
  Declined,
  Reported,
  StaffEntry,
  Expired,
  Held,
  Configured,
])
export type Entry = z.infer<typeof Entry>

/**
 * The kinds whose `jti` is our own; every other kind that has one is a message of the peer and unique by (peer, jti). There
 * can be no third one: the tables say the same, in words that never change.
 */
export const outboundKinds = ['asked', 'outcome'] as const

function within(name: string, { length }: string | readonly unknown[], from: number, to: number): void {
  if (length < from || length > to) throw new TypeError(`${name} of an entry has the length ${length}`)
}

/**
 * Throws TypeError for an entry that is of its type and would yet not be read back: one such entry makes the ledger fail
 * its verification for ever. Of an exchange the lengths only, since this stands in the path of every answer, and forms are
 * for the types to hold; what no peer waits for is held to its whole form.
 */
export function assertReadable(entry: Entry): void {
  if (!('questionHash' in entry)) {
    const { error } = Entry.safeParse(entry)
    if (error !== undefined) throw new TypeError(z.prettifyError(error))
    return
  }
  within('at', entry.at, 24, 24)
  within('matter', entry.matter, 1, most.matter)
  within('subjects', entry.subjects, 1, most.subjects)
  if ('department' in entry) within('department', entry.department, 1, most.department)
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
