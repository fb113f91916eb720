/**
 * Every city is a witness of every other: it says of a log that it has seen it at this size, and never says so of a log that
 * did not grow out of the one it saw before. The protocol is C2SP tlog-witness.
 */
import {
  alone,
  base64,
  type NoteKey,
  readCheckpoint,
  readNote,
  readSigned,
  readSize,
  readVerifierKey,
  type Signed,
} from '#ledger/checkpoint.ts'
import type { Contradiction, Log, LogStore, Witnessed } from '#ledger/log.ts'
import { emptyRoot, HASH_LENGTH, provesConsistency } from '#ledger/tree.ts'
import type { Member, Members } from '#trust/members.ts'

/** What `add-checkpoint` answers. */
type Reply = {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422
  readonly type: 'text/plain; charset=utf-8' | 'text/x.tlog.size'
  readonly body: string
}

export type Witness = {
  /** Answers the body of a POST to `add-checkpoint`. What it cosigns is durable when it resolves. */
  add(body: string): Promise<Reply>
  /** Of each city the log that we know it by, with the last checkpoint that we cosigned. */
  known(): Promise<ReadonlyMap<string, Known>>
  /** Begins to know a member by the log that it publishes, where it is not known by any; gives what it is known by now. */
  meet(member: Member): Promise<Known | undefined>
}

/** What we know of another city's log: its key, and what it said last that we cosigned. */
export type Known = Witnessed & {
  readonly noteKey: NoteKey
  /** Undefined where we have cosigned nothing yet. */
  readonly checkpoint: Signed | undefined
}

export type WitnessOptions = {
  readonly store: LogStore
  readonly log: Log
  readonly members: Pick<Members, 'all'>
  /** Asks a city what it has to say of itself. */
  readonly acquaint: (city: string) => Promise<void>
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Hears of two checkpoints that cannot both be true. */
  readonly contradicted: (found: Omit<Contradiction, 'at'>) => Promise<void>
  /** A log sent what its last checkpoint does not lead to: it is to be looked at now. */
  readonly suspected: (city: string) => void
}

/** C2SP tlog-witness: the client must not send more lines of proof. */
const MOST_LINES = 63

/** The longest body of an `add-checkpoint`: 63 lines of proof, and a checkpoint with a few signatures. */
export const ADD_LIMIT = 16_384

/** The log that a member publishes as its own; undefined where it publishes none, or that of somebody else. */
export function logOf({ id, log }: Pick<Member, 'id' | 'log'>): NoteKey | undefined {
  if (log === undefined || !log.origin.startsWith(`xinqiao/${id}/`)) return undefined
  const key = readVerifierKey(log.key)
  return key?.name === log.origin && key.type === 0x01 ? key : undefined
}

export function openWitness({ store, log, members, acquaint, now, contradicted, suspected }: WitnessOptions): Witness {
  const known = async () =>
    new Map(
      (await store.witnessed()).flatMap(row => {
        const found = knownOf(row)
        return found === undefined ? [] : [[row.city, found] as const]
      }),
    )
  const meet = async (member: Member) => {
    const before = (await known()).get(member.id)
    const key = logOf(member)
    if (before !== undefined || key === undefined || member.log === undefined) return before
    const row = { city: member.id, ...member.log, size: 0, note: '', at: new Date(now()).toISOString() }
    await store.know(row)
    // Another process may have met it first, and cosigned something since.
    return (await known()).get(member.id)
  }
  const at = () => new Date(now()).toISOString()

  /** The member whose log this is, by its own word; one whose word we have not heard yet is asked. */
  const publisherOf = async (origin: string) => {
    const silent = members.all.find(({ id, log }) => log === undefined && origin.startsWith(`xinqiao/${id}/`))
    if (silent !== undefined) await acquaint(silent.id)
    return members.all.find(each => logOf(each)?.name === origin)
  }

  const add = async (body: string): Promise<Reply> => {
    const request = readRequest(body)
    if (request === undefined) return plain(400, 'not an add-checkpoint request')
    const { old, proof, origin, size, root } = request
    const member = await publisherOf(origin)
    const held = member && (await meet(member))
    if (member === undefined || held?.origin !== origin) return plain(404, 'this log is not known here')
    const read = readSigned(request.note, held.noteKey)
    if (typeof read !== 'object') return plain(403, 'not signed with the key by which this log is known here')
    const signed = { ...read, note: alone(read, held.noteKey) }
    if (old > size) return plain(400, 'the old size is larger than the new one')
    if (old !== held.size) return conflict(held.size)
    if (!follows(held, signed, proof)) {
      if (size === held.size && held.checkpoint !== undefined && !same(root, held.checkpoint.root)) {
        await contradicted(forked(member.id, held.checkpoint, signed))
      } else suspected(member.id)
      return plain(422, 'this checkpoint does not follow the last one')
    }
    const line = log.cosign(signed, now())
    if (held.checkpoint === undefined || size > held.size) {
      const row = { ...held, size, note: signed.note + line, at: at() }
      if (!(await store.witness(row, old))) return conflict((await known()).get(member.id)?.size ?? 0)
    }
    return { status: 200, type: 'text/plain; charset=utf-8', body: line }
  }
  return { add, known, meet }
}

/**
 * Takes note that somebody knows of the first `seen` contradictions of a city, acknowledged ones included; gives how many of
 * them stood. Where its log was replaced by one of them, it is known from now on by what it publishes.
 */
export async function acknowledge(
  { store, by, at }: { readonly store: LogStore; readonly by: string; readonly at: string },
  city: string,
  seen: number,
  member: Pick<Member, 'id' | 'log'> | undefined,
): Promise<number> {
  const published = member && logOf(member) && member.log
  return await store.acknowledge(city, seen, { by, at }, published)
}

function knownOf(row: Witnessed): Known | undefined {
  const noteKey = readVerifierKey(row.key)
  if (noteKey === undefined) return undefined
  // Cosigned under the key of its day, which may be another than the one it is known by now.
  const read = readNote(row.note)
  const checkpoint = read && readCheckpoint(read.text)
  return { ...row, noteKey, checkpoint: checkpoint && { ...checkpoint, note: row.note } }
}

/** C2SP tlog-witness, `add-checkpoint`: what has to hold for a checkpoint to follow the last one. */
function follows({ checkpoint, size: old }: Known, { size, root }: Signed, proof: readonly Uint8Array[]): boolean {
  if (size === 0) return proof.length === 0 && same(root, emptyRoot)
  if (old === 0 || checkpoint === undefined) return proof.length === 0
  return provesConsistency({ start: 0, end: old, root: checkpoint.root }, { size, root }, proof)
}

/** Two checkpoints of one size and two roots: the log's own signatures prove it to anybody. */
export function forked(city: string, held: Signed, found: Signed): Omit<Contradiction, 'at'> {
  const detail = `two checkpoints of size ${held.size} with different roots`
  return { city, name: 'forked', held: held.note, found: found.note, detail }
}

type Request = {
  readonly old: number
  readonly proof: readonly Uint8Array[]
  readonly note: string
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
}

function readRequest(body: string): Request | undefined {
  const end = body.indexOf('\n\n')
  const [first = '', ...lines] = body.slice(0, Math.max(0, end)).split('\n')
  const old = first.startsWith('old ') ? readSize(first.slice('old '.length)) : undefined
  const proof = readHashes(lines)
  const note = body.slice(end + 2)
  const read = readNote(note)
  const checkpoint = read && readCheckpoint(read.text)
  if (old === undefined || proof === undefined || checkpoint === undefined) return undefined
  return { old, proof, note, origin: checkpoint.origin, size: checkpoint.size, root: checkpoint.root }
}

/** The hashes of a proof, one on a line; undefined where one is none, or there are too many. */
export function readHashes(lines: readonly string[]): Uint8Array[] | undefined {
  const hashes = lines.map(base64)
  if (hashes.length > MOST_LINES) return undefined
  return hashes.every(each => each?.length === HASH_LENGTH) ? hashes.flatMap(each => each ?? []) : undefined
}

/** The lines of a proof, each with its newline. */
export function writeHashes(proof: readonly Uint8Array[]): string {
  return proof.map(each => `${Buffer.from(each).toString('base64')}\n`).join('')
}

/** The body that `add` answers. */
export function addRequest(old: number, proof: readonly Uint8Array[], note: string): string {
  return `old ${old}\n${writeHashes(proof)}\n${note}`
}

function plain(status: 400 | 403 | 404 | 422, why: string): Reply {
  return { status, type: 'text/plain; charset=utf-8', body: `${why}\n` }
}

function conflict(size: number): Reply {
  return { status: 409, type: 'text/x.tlog.size', body: `${size}\n` }
}

export function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}
