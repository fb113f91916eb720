/**
 * What the ledger holds of a period, a peer or a subject becomes one file by which others can check it; that it was taken
 * is in the ledger before the file is. docs/evidence.md describes the file.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import { lettingGo, stateOf } from '#exchange/signed-texts.ts'
import { FORMAT, type Line, type Selection } from '#ledger/bundle.ts'
import { logKey, readNote, verifierKey } from '#ledger/checkpoint.ts'
import { type Entry, entryText } from '#ledger/entry.ts'
import type { Evidence, Filter, Ledger, Recorded } from '#ledger/ledger.ts'
import { type Kept, type LogStore, originOf, treeIn } from '#ledger/log.ts'
import { inclusionProof, type ReadHashes } from '#ledger/tree.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import { maskPersonalNumbers, readSubject } from '#protocol/subject.ts'
import { readCompact } from '#trust/jws.ts'
import type { Keys } from '#trust/keys.ts'
import type { Members } from '#trust/members.ts'
import { configurationOf } from '#trust/statement.ts'

/** Checkpoints among which the one with the most cosignatures is looked for. */
const RECENT = 1_000
/** How often it is looked whether cosignatures have come; milliseconds. */
const LOOK = 500
/** Entries that are found, and read, at once. */
const STEP = 256
/** Hashes of the tree that are remembered: neighbours share nearly all of their proofs. */
const HASHES = 65_536

type ExportOptions = {
  readonly ledger: Ledger
  readonly store: LogStore
  readonly members: Members
  readonly keys: Pick<Keys, 'log' | 'described' | 'signer'>
  /** The folder of what the gateway learnt of others. */
  readonly data: string
  readonly selection: Selection
  /** Who takes it: a name of 1 to 80 characters. */
  readonly by: string
  /** Epoch milliseconds. */
  readonly now: () => number
  /** How long to wait for cosignatures that a running gateway is about to get; milliseconds. */
  readonly patience: number
  /** Takes the lines in their order, the header first. */
  readonly write: (line: Line) => void
  readonly progress?: ((done: number, total: number) => void) | undefined
}

export type Exported = {
  readonly entries: number
  /** Entries whose signed texts are let go: the digests are left. */
  readonly expired: number
  /** Entries whose signed texts ought to be there and are not. */
  readonly missing: number
  /** Entries that fit and are left out, since no checkpoint covers them yet. */
  readonly uncovered: number
  readonly checkpoint: number
  /** Signatures on the checkpoint beside the log's own. */
  readonly cosignatures: number
}

/**
 * Records that evidence is taken, then gives it line by line. Undefined where nothing fits: then no line is given. Signs no
 * checkpoint: that is for a gateway, which has asked its peers whether this is still the log that they saw. Rejects with
 * `ledger.unavailable`.
 */
export async function exportEvidence(options: ExportOptions): Promise<Exported | undefined> {
  const { ledger, store, members, keys, data, selection, by, now, patience, write, progress } = options
  const count = await ledger.count()
  await ledger.append(taken(ledger.city, selection, by, now()))
  const fitting = await chosen(ledger, filterOf(selection), count)
  const last = fitting.at(-1)
  if (last === undefined) return undefined
  progress?.(0, fitting.length)
  const checkpoint = await cosigned(store, last, members.all.length - 1, patience)
  const indexes = fitting.filter(index => index < checkpoint.size)
  const made = now()
  const origin = originOf(ledger.city, ledger.id)
  const published = { origin, key: verifierKey(logKey(origin, keys.log)) }
  const own = configurationOf({ ...keys.described, log: published }, undefined, keys.signer, Math.floor(made / 1000))
  const lists = members.anchors.crls.list().toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
  const { roll, statements } = members.roll.bundle
  write({
    line: 'header',
    format: FORMAT,
    city: ledger.city,
    ledger: ledger.id,
    made: new Date(made).toISOString(),
    selection,
    checkpoint: checkpoint.note,
    roll: { roll, statements: [...statements] },
    statements: { ...said(data, members, ledger.city), [ledger.city]: own },
    lists: lists.map(({ der }) => Buffer.from(der).toString('base64')),
  })
  const isLetGo = await lettingGo(ledger)
  const read = remembering(treeIn(store))
  const told = { entries: 0, expired: 0, missing: 0 }
  const given = new Set<string>()
  for await (const { recorded, previous } of inOrder(ledger, indexes)) {
    const { entry, receipt } = recorded
    const evidence = stateOf(entry, await ledger.evidence(receipt.index), isLetGo(receipt.index))
    if (typeof evidence === 'object') for (const line of certificatesOf(evidence, members, given)) write(line)
    else if (evidence !== 'none') told[evidence] += 1
    const proof = await inclusionProof(receipt.index, checkpoint.size, read)
    write({
      line: 'entry',
      index: receipt.index,
      text: entryText(entry),
      previous,
      link: receipt.link,
      proof: proof.map(each => Buffer.from(each).toString('base64')),
      evidence,
    })
    told.entries += 1
    progress?.(told.entries, indexes.length)
  }
  write({ line: 'end', entries: told.entries })
  return {
    ...told,
    uncovered: fitting.length - indexes.length,
    checkpoint: checkpoint.size,
    cosignatures: checkpoint.cosignatures,
  }
}

/** There is no account on the command line: who may run it there is an operator, under the name that was given; a number is none. */
function taken(city: string, selection: Selection, by: string, now: number): Entry {
  const { subject } = selection
  return {
    kind: 'staff',
    at: new Date(now).toISOString(),
    city,
    staff: maskPersonalNumbers(by),
    role: 'operator',
    action: 'exported',
    page: 'evidence',
    subjects: subject === undefined ? [] : [readSubject(subject).uscc],
    entries: [],
    filter:
      Object.entries(selection)
        .map(pair => pair.join('='))
        .join('&') || 'all',
  }
}

/** Days are days in Asia/Shanghai. */
function filterOf({ from, to, peer, subject }: Selection): Filter {
  const begin = (day: Temporal.PlainDate) =>
    new Date(day.toZonedDateTime('Asia/Shanghai').epochMilliseconds).toISOString()
  return {
    from: from && begin(Temporal.PlainDate.from(from)),
    until: to && begin(Temporal.PlainDate.from(to).add({ days: 1 })),
    peer,
    subject,
  }
}

async function chosen(ledger: Ledger, filter: Filter, count: number): Promise<number[]> {
  if (Object.values(filter).every(asked => asked === undefined)) return Array.from({ length: count }, (_, i) => i)
  const indexes: number[] = []
  for (let before: number | undefined = count; before !== undefined; ) {
    const { entries, next }: Awaited<ReturnType<Ledger['search']>> = await ledger.search(filter, {
      before,
      limit: STEP,
    })
    for (const { receipt } of entries) indexes.push(receipt.index)
    before = next
  }
  return indexes.reverse()
}

/**
 * The checkpoint over an entry with the most cosignatures, and of those the first: the sooner it was seen, the more it proves.
 * Waits until one has all that are `wanted`, or for the patience; then, where none covers the entry, gives the newest.
 */
async function cosigned(store: LogStore, last: number, wanted: number, patience: number): Promise<Seen> {
  for (let left = patience; ; left -= LOOK) {
    const recent = await store.checkpoints(RECENT)
    const seen = recent.map(kept => ({ ...kept, cosignatures: (readNote(kept.note)?.signatures.length ?? 1) - 1 }))
    const [best] = seen
      .filter(({ size }) => size > last)
      .sort((a, b) => b.cosignatures - a.cosignatures || a.size - b.size)
    if (best !== undefined && (left <= 0 || best.cosignatures >= wanted)) return best
    const [newest] = seen
    if (left <= 0 && newest !== undefined) return newest
    if (left <= 0)
      throw refuse('ledger.unavailable', 'there is no checkpoint yet: a running gateway signs one each second')
    await pause(Math.min(left, LOOK))
  }
}

type Seen = Kept & { readonly cosignatures: number }

/** What the other cities said of themselves last, as far as we have heard it. */
function said(data: string, { all }: Members, us: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const { id } of all) {
    const path = join(data, 'federation', `${id}.jwt`)
    if (id !== us && existsSync(path)) found[id] = readFileSync(path, 'utf8')
  }
  return found
}

/** Entries by their indexes, lowest first, each with the link of the one before it. */
async function* inOrder(ledger: Ledger, indexes: readonly number[]) {
  for (let i = 0; i < indexes.length; ) {
    const first = indexes[i] ?? 0
    let length = 1
    while (length < STEP && indexes[i + length] === first + length) length += 1
    const from = Math.max(0, first - 1)
    let before: Recorded | undefined
    for (const recorded of await ledger.entries({ from, limit: first - from + length })) {
      if (recorded.receipt.index >= first) yield { recorded, previous: before?.receipt.link }
      before = recorded
    }
    i += length
  }
}

/** The certificates of the keys that these texts name, as far as they are at hand and were not given yet. */
function* certificatesOf(
  { question, answer }: Evidence,
  { former }: Members,
  given: Set<string>,
): Generator<Extract<Line, { line: 'certificate' }>> {
  for (const token of [question, answer]) {
    const thumbprint = token === undefined ? undefined : thumbprintIn(token)
    const key = thumbprint === undefined || given.has(thumbprint) ? undefined : former(thumbprint)
    if (thumbprint === undefined || key === undefined) continue
    given.add(thumbprint)
    yield { line: 'certificate', chain: key.chain.map(({ der }) => Buffer.from(der).toString('base64')) }
  }
}

/** The certificate that a signed message names; undefined for a text that is none. */
function thumbprintIn(token: string): string | undefined {
  try {
    const thumbprint = readCompact(token).header['x5t#S256']
    return typeof thumbprint === 'string' ? thumbprint : undefined
  } catch (fault) {
    if (fault instanceof Refusal) return undefined
    throw fault
  }
}

/** The same hashes, each asked for once in a while. */
function remembering(read: ReadHashes): ReadHashes {
  const known = new LRUCache<string, Uint8Array>({ max: HASHES })
  return async nodes => {
    const name = ({ level, index }: (typeof nodes)[number]) => `${level}/${index}`
    const found = new Map(nodes.map(node => [name(node), known.get(name(node))]))
    const unknown = nodes.filter(node => found.get(name(node)) === undefined)
    for (const [i, hash] of (await read(unknown)).entries()) {
      const node = unknown[i]
      if (node === undefined) continue
      known.set(name(node), hash)
      found.set(name(node), hash)
    }
    return nodes.flatMap(node => found.get(name(node)) ?? [])
  }
}
