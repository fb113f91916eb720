/**
 * Evidence leaves the ledger as one file that stands on its own: what it says can be held against it by whoever has the
 * file, and it has one form only. docs/evidence.md describes the form.
 *
 * Lines of RFC 8785 JSON, each an object: the header, then entries in the order of their indexes, before the first entry
 * that needs it the certificates of a key, and last how many entries there were. It is written and read line by line, so
 * that a ledger of any length takes no more memory than its longest entry.
 */
import { z } from 'zod'
import { canonical } from '#protocol/canonical.ts'
import { readJson } from '#protocol/json.ts'
import { CityId } from '#protocol/message.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import { base64, isSigned, type NoteKey, readNote, type Signed } from './checkpoint.ts'
import { base64url, type Entry, leafHash, nextLink, readEntry } from './entry.ts'
import { HASH_LENGTH, provesInclusion } from './tree.ts'

export const FORMAT = 'xinqiao-evidence@v1'

/** Characters of one line at most: an answer of 8 MiB, as a token, in an entry's line. */
const LONGEST = 32 * 1024 * 1024

const Hash = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
const Index = z.int().min(0)
const Instant = z.iso.datetime({ precision: 3 })
const Der = z.base64().max(1_000_000)

/** What was chosen, as it was asked for: days in Asia/Shanghai, both included. */
const Selection = z.strictObject({
  from: z.iso.date().optional(),
  to: z.iso.date().optional(),
  peer: CityId.optional(),
  subject: z.string().length(18).optional(),
})
export type Selection = z.infer<typeof Selection>

const Header = z.strictObject({
  line: z.literal('header'),
  format: z.literal(FORMAT),
  city: CityId,
  /** The id of the ledger. */
  ledger: z.string().regex(/^[0-9a-f-]{36}$/),
  /** When the file was made. */
  made: Instant,
  selection: Selection,
  /** C2SP signed note of the log, with the cosignatures that it had. */
  checkpoint: z.string().max(262_144),
  /** The federation's roll with the office's statements. */
  roll: z.strictObject({ roll: z.string(), statements: z.array(z.string()).max(1000) }),
  /** What each city says of itself: whose log key is whose. */
  statements: z.record(CityId, z.string()),
  /** Revocation lists, DER. */
  lists: z.array(Der).max(1000),
})
export type Header = z.infer<typeof Header>

/** A signing certificate and its issuers without the root, DER; messages name it by SHA-256 of the first (`x5t#S256`). */
const Certificates = z.strictObject({ line: z.literal('certificate'), chain: z.array(Der).min(1).max(8) })

/**
 * What is still held for an entry. `expired`: there was evidence, and its days are over; what the entry says of it by
 * digests is all that is left. `none`: the entry came without.
 */
const HeldEvidence = z.union([
  z.enum(['expired', 'none', 'missing']),
  z.strictObject({ question: z.string().optional(), answer: z.string().optional() }),
])
export type HeldEvidence = z.infer<typeof HeldEvidence>

const EntryLine = z.strictObject({
  line: z.literal('entry'),
  index: Index,
  /** The very text that is hashed. */
  text: z.string(),
  /** The link of the entry before; the first entry of a ledger follows none. */
  previous: Hash.optional(),
  link: Hash,
  /** RFC 6962 section 2.1.1, in the tree of the checkpoint; base64, from the leaf upwards. */
  proof: z.array(z.string().length(44)).max(53),
  evidence: HeldEvidence,
})
export type EntryLine = z.infer<typeof EntryLine>

const End = z.strictObject({ line: z.literal('end'), entries: Index })

const Line = z.discriminatedUnion('line', [Header, Certificates, EntryLine, End])
export type Line = z.infer<typeof Line>

/** A line with its newline. */
export function writeLine(line: Line): string {
  return `${canonical(line)}\n`
}

/** Reads one line, without its newline. What is wrong with it, in words, where it is not in the one form. */
export function readLine(text: string): Line | string {
  if (text.length > LONGEST) return 'longer than a line may be'
  try {
    const read = Line.safeParse(readJson(text))
    if (!read.success) return z.prettifyError(read.error).split('\n', 1)[0] ?? ''
    return canonical(read.data) === text ? read.data : 'not in its canonical form'
  } catch (fault) {
    if (fault instanceof Refusal) return fault.message
    throw fault
  }
}

/**
 * The lines of a stream of bytes, split at newlines and nowhere else: a text may hold other line separators. Throws `form.json`
 * for what is not UTF-8, and at the end where the last line does not end.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const decode = (chunk: Uint8Array) => {
    try {
      return decoder.decode(chunk, { stream: true })
    } catch (fault) {
      throw refuse('form.json', 'not UTF-8', fault)
    }
  }
  let rest: string[] = []
  let length = 0
  for await (const chunk of chunks) {
    const [first = '', ...others] = decode(chunk).split('\n')
    rest.push(first)
    length += first.length
    if (length > LONGEST + 1) break
    for (const other of others) {
      yield rest.join('')
      rest = [other]
      length = other.length
    }
  }
  const last = rest.join('')
  if (length > LONGEST) yield last
  else if (last !== '') throw refuse('form.json', 'the last line was cut off: it does not end with a newline')
}

/** The entry of a line, and its leaf; undefined where the text is not a canonical entry of this city. */
export function entryIn(
  { text }: EntryLine,
  city: string,
): { readonly entry: Entry; readonly leaf: Uint8Array } | undefined {
  try {
    const entry = readEntry(text)
    return entry.city === city ? { entry, leaf: leafHash(text) } : undefined
  } catch {
    return undefined
  }
}

/** Whether a line's proof shows its leaf at its place in the tree of a checkpoint. */
export function isIncluded({ index, proof }: EntryLine, leaf: Uint8Array, { size, root }: Signed): boolean {
  const hashes = proof.map(base64)
  if (!hashes.every(each => each?.length === HASH_LENGTH)) return false
  return provesInclusion(
    leaf,
    index,
    { start: 0, end: size, root },
    hashes.flatMap(each => each ?? []),
  )
}

/** Whether a line follows: its link from the one before, and that one from the line before where the two are neighbours. */
export function isLinked(
  { index, previous, link }: EntryLine,
  leaf: Uint8Array,
  before: EntryLine | undefined,
): boolean {
  if (previous === undefined) return index === 0
  if (index === 0 || base64url(nextLink(Buffer.from(previous, 'base64url'), leaf)) !== link) return false
  return before === undefined || before.index !== index - 1 || before.link === previous
}

/** When a note was cosigned with this key (epoch seconds); undefined where it was not, `false` where it only says so. */
export function cosignedAt(note: string, key: NoteKey): number | undefined | false {
  const read = readNote(note)
  const isGood = read && isSigned(read, key)
  if (read === undefined || isGood === undefined) return undefined
  if (!isGood) return false
  const times = read.signatures
    .filter(({ name, id }) => name === key.name && id === key.id)
    .map(({ signature }) => Number(Buffer.from(signature).readBigUInt64BE(0)))
  return Math.max(...times)
}
