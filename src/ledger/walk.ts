/** What is walked from its first entry to its last is judged here, whatever keeps it; whoever reads it brings batches of rows. */
import { limits, type Receipt } from '#protocol/message.ts'
import {
  base64url,
  type Entry,
  type Identity,
  leafHash,
  nextLink,
  originLink,
  outboundKinds,
  readEntry,
} from './entry.ts'
import { contradiction, isBody, isUnsigned, lacking, putTogether, receiptIn, type Signed } from './evidence.ts'
import type { Evidence } from './ledger.ts'
import type { LogFault } from './log-audit.ts'

/**
 * - `unreadable`: SQLite itself cannot read the file, or a column holds what it never should.
 * - `version-unknown`: the file is of a later program; nothing else of it was looked at.
 * - `schema-changed`: a table, index or trigger was added, changed or removed; the ledger may have been open to change.
 * - `gap`: entries are missing between two that are there, or before the first.
 * - `edited`: the text, or one of the two links beside it, was changed after it was written.
 * - `reordered`: the entry follows, by its own link, another than the one before it: entries were moved or put in between.
 * - `link-broken`: the entry follows an entry that is not in this ledger.
 * - `malformed`: the text is no entry of this program, or not in its canonical form.
 * - `foreign`: the entry is of another city than the ledger.
 * - `duplicate`: a message that came in is recorded twice, or is not found by the look-up that refuses a replay.
 * - `evidence-swapped`: the evidence contradicts the digests of its entry, or says for a peer what nobody signed.
 * - `evidence-missing`: evidence that came with the entry, or a part of it, was removed before its day, or after it without an
 *   entry that says so.
 * - `evidence-stray`: evidence, or a signature, without what it belongs to.
 * - `receipt-broken`: a receipt, in an answer that was signed or held by somebody, is not what stands at its place.
 * - `time-turned-back`: the entry is earlier than the one before it, by more than clocks and waiting explain.
 * - `tile-missing`, `tile-changed`, `checkpoint-broken`: the log is not that of these entries (`log-audit.ts`).
 */
type FaultName =
  | 'unreadable'
  | 'version-unknown'
  | 'schema-changed'
  | 'gap'
  | 'edited'
  | 'reordered'
  | 'link-broken'
  | 'malformed'
  | 'foreign'
  | 'duplicate'
  | 'evidence-swapped'
  | 'evidence-missing'
  | 'evidence-stray'
  | 'receipt-broken'
  | 'time-turned-back'
  | LogFault['name']

/** One thing that is wrong, at which entry, in words for an operator. Never holds what an entry says. */
export type Fault = { readonly name: FaultName; readonly index: number | undefined; readonly detail: string }

export type Verification = {
  readonly identity: Identity | undefined
  /** Entries that were walked. */
  readonly entries: number
  /** Entries whose question or answer is still held, and those of them whose answer is signed. */
  readonly evidence: number
  readonly signed: number
  /**
   * Evidence was held against the digests of its entries, and its signatures were not checked: that takes the certificates
   * and revocation lists of its day, which a ledger does not hold. `signed` counts signatures; it says nothing of their truth.
   */
  readonly signaturesChecked: false
  /** The link of the last entry: two cities that hold the same one hold the same ledger. */
  readonly head: string | undefined
  /** True when there is no fault. A file cannot show that entries are missing at its end: only a receipt or a witness can. */
  readonly verified: boolean
  /** The first faults, and how many there are. */
  readonly faults: readonly Fault[]
  readonly faultCount: number
}

export type VerifyOptions = {
  /** Called now and then with how many entries are walked, of how many. */
  readonly progress?: ((walked: number, total: number) => void) | undefined
  /** Receipts that peers or we hold: each must still be what stands at its place, so a shortened ledger is found. */
  readonly receipts?: readonly Receipt[]
  /** How many faults are reported in full. */
  readonly report?: number
  /** Epoch milliseconds: evidence whose day has not come by then must be there. */
  readonly now?: number
}

/** Evidence as its engine holds it: the answer's body, and apart from it what else was signed. `until` is in epoch seconds. */
export type Held = Evidence & { readonly until: number; readonly signed: Signed | undefined }

/** An entry as its engine holds it. */
export type Row = {
  readonly index: number
  readonly body: string
  readonly previous: Uint8Array
  readonly link: Uint8Array
  readonly held: Held | undefined
  /** By what is searched the entry is another than by its text; where an engine keeps the two apart. */
  readonly isAstray?: boolean
}

/** Rows in the order of their indexes, and evidence and signatures of the same indexes that belong to nothing. */
export type Batch = {
  readonly rows: readonly Row[]
  readonly strays: { readonly evidence: readonly number[]; readonly signed: readonly number[] }
  /** Where the look-up that refuses a replay finds a message; absent where that look-up is gone. */
  readonly found?: ((index: number, peer: string, jti: string) => number | undefined) | undefined
}

/** An entry that does not follow the one before it: where the entry stands that it follows can only its engine say. */
export type Misplaced = { readonly index: number; readonly follows: Uint8Array }

/** How much earlier than the one before it an entry may be; milliseconds. A question lives 300 s, and two clocks differ by 10. */
const BACK = (limits.lifetime + limits.skew) * 1000

/** One walk through one ledger; it remembers where it is, and what it has counted. */
export class Walk {
  readonly identity: Identity
  entries = 0
  evidence = 0
  signed = 0
  readonly #now: number
  readonly #claimed: ReadonlyMap<number, readonly Receipt[]>
  #links: Uint8Array[]
  #link: Uint8Array
  #next = 0
  #at = ''
  /** A bit for each entry whose evidence is gone after its day; and what entries say was let go. */
  #gone = new Uint8Array(1024)
  #goneCount = 0
  #saidCount = 0
  readonly #said: { readonly from: number; readonly until: number }[] = []

  /** `now` is epoch milliseconds: evidence whose day has not come by then must be there. */
  constructor(identity: Identity, receipts: readonly Receipt[], now: number) {
    this.identity = identity
    this.#now = now
    this.#claimed = Map.groupBy(receipts, receipt => receipt.index)
    this.#link = originLink(identity)
    this.#links = [this.#link]
  }

  /** The link of the last entry so far. */
  get head(): string {
    return base64url(this.#link)
  }

  /** Walks the next rows. */
  *step({ rows, strays, found }: Batch): Generator<Fault | Misplaced> {
    for (const row of rows) {
      const { index, body, previous, link: own } = row
      if (index > this.#next) yield fault('gap', this.#next, `entries ${this.#next} to ${index - 1} are missing`)
      const leaf = leafHash(body)
      const wanted = nextLink(previous, leaf)
      const receipt = { index, leaf: base64url(leaf), link: base64url(own) }
      if (index <= this.#next && !this.#links.some(link => same(link, previous))) yield { index, follows: previous }
      yield* checkReceipts(receipt, this.#claimed.get(index))
      if (same(own, wanted)) {
        this.#links = [own]
        yield* this.#entry(row, receipt, found)
      } else {
        yield fault('edited', index, 'the entry and its link do not belong together')
        // One of the two is as it was; the next entry knows which, and is not at fault.
        this.#links = [own, wanted]
      }
      this.#link = own
      this.entries += 1
      this.#next = Math.max(this.#next, index + 1)
    }
    for (const index of strays.evidence) yield fault('evidence-stray', index, 'evidence without an entry')
    for (const index of strays.signed) yield fault('evidence-stray', index, 'a signature without its answer')
  }

  /** What is wrong with the end; after the last step. */
  *end(): Generator<Fault> {
    for (const index of this.#claimed.keys()) {
      if (index < this.#next) continue
      yield fault('receipt-broken', index, `the ledger ends before this place, after ${this.#next} entries`)
    }
    yield* this.#unsaid()
  }

  /** Evidence goes only after an entry that says so; a crash in between leaves more said than gone, never less. */
  *#unsaid(): Generator<Fault> {
    const gone = this.#gone
    for (const { from, until } of this.#said) {
      for (let i = from; i < Math.min(until, gone.length * 8); i++) gone[i >> 3] = (gone[i >> 3] ?? 0) & ~(1 << (i & 7))
    }
    for (let i = 0; i < gone.length * 8; i++) {
      if (((gone[i >> 3] ?? 0) & (1 << (i & 7))) !== 0)
        yield fault('evidence-missing', i, 'no entry says that it was let go')
    }
    if (this.#goneCount > this.#saidCount) {
      const detail = `the evidence of ${this.#goneCount} entries is gone, and entries say so of ${this.#saidCount}`
      yield fault('evidence-missing', undefined, detail)
    }
  }

  #markGone(index: number): void {
    if (index >= this.#gone.length * 8) {
      const longer = new Uint8Array(Math.max(2 * this.#gone.length, (index >> 3) + 1))
      longer.set(this.#gone)
      this.#gone = longer
    }
    this.#gone[index >> 3] = (this.#gone[index >> 3] ?? 0) | (1 << (index & 7))
    this.#goneCount += 1
  }

  *#entry(row: Row, receipt: Omit<Receipt, 'at'>, found: Batch['found']): Generator<Fault> {
    const { index } = receipt
    const entry = readOrUndefined(row.body)
    if (entry === undefined) {
      yield fault('malformed', index, 'the text is not an entry in its canonical form')
      return
    }
    if (row.isAstray === true) yield fault('edited', index, 'what is searched is not what the text says')
    if (entry.city !== this.identity.city) yield fault('foreign', index, 'an entry of another city')
    if (entry.at < this.#at && Date.parse(entry.at) < Date.parse(this.#at) - BACK)
      yield fault('time-turned-back', index, `it is of ${entry.at}, behind one of ${this.#at}`)
    this.#at = entry.at
    const message = messageOf(entry)
    if (found && message && found(index, message.peer, message.jti) !== index) {
      yield fault('duplicate', index, 'the look-up of this message finds another entry, or none')
    }
    if (entry.kind === 'expired') {
      this.#said.push(entry)
      this.#saidCount += entry.count
    }
    const until = 'heldUntil' in entry ? entry.heldUntil : undefined
    const isDue = until !== undefined && Date.parse(until) > this.#now
    const { held } = row
    if (held === undefined) {
      if (isDue) yield fault('evidence-missing', index, `it was to be held until ${until}`)
      else if (until !== undefined) this.#markGone(index)
      return
    }

    this.evidence += 1
    const evidence = whole(held)
    const part = isDue ? lacking(entry, evidence) : undefined
    if (part !== undefined) yield fault('evidence-missing', index, part)
    const wrong =
      contradiction(entry, evidence) ??
      // A signed answer that was kept whole says nothing about the body beside it: both must be what was recorded.
      (held.answer === undefined ? undefined : contradiction(entry, { answer: held.answer })) ??
      (isUnsigned(entry, evidence) ? 'the answer of a peer has no signature' : undefined)
    if (wrong !== undefined) yield fault('evidence-swapped', index, wrong)
    if (evidence.answer === undefined || isBody(evidence.answer)) return

    this.signed += 1
    const carried = receiptIn(evidence.answer)
    if (wrong !== undefined || carried === undefined) return
    const place = entry.kind === 'outcome' ? entry.receipt : receipt
    if (place && (carried.index !== place.index || carried.leaf !== place.leaf || carried.link !== place.link)) {
      const detail = 'the receipt in the signed answer is of another entry than the one at this place'
      yield fault('receipt-broken', index, detail)
    }
  }
}

/** Evidence as it was signed; the body alone where a crash came before the signature. */
function whole({ question, answer, signed }: Held): Evidence {
  return { question, answer: signed === undefined ? answer : putTogether(signed, answer ?? '') }
}

/** Collects what a walk finds into what is told of it: the first faults, and how many there are. */
export function openFindings(report: number) {
  const faults: Fault[] = []
  let faultCount = 0
  return {
    add(found: Fault): void {
      faultCount += 1
      if (faults.length < report) faults.push(found)
    },
    told(walk: Walk | undefined): Verification {
      return {
        identity: walk?.identity,
        entries: walk?.entries ?? 0,
        evidence: walk?.evidence ?? 0,
        signed: walk?.signed ?? 0,
        signaturesChecked: false,
        head: walk?.head,
        verified: faultCount === 0,
        faults,
        faultCount,
      }
    },
  }
}

/** Says how an entry that is whole in itself came to stand where it does; `other` is the entry that it follows, if found. */
export function misplaced({ index }: Misplaced, other: number | undefined): Fault {
  return other === undefined
    ? fault('link-broken', index, 'by its own link it does not follow the entry before it, nor any other found')
    : fault('reordered', index, `by its own link it follows entry ${other}`)
}

function* checkReceipts({ index, leaf, link }: Omit<Receipt, 'at'>, held: readonly Receipt[] = []): Generator<Fault> {
  for (const receipt of held) {
    if (receipt.leaf !== leaf || receipt.link !== link) {
      yield fault('receipt-broken', index, 'the receipt is of another entry than the one at its place')
    }
  }
}

/** The message of a peer that an entry records. */
function messageOf(entry: Entry): { readonly peer: string; readonly jti: string } | undefined {
  return 'jti' in entry && !outboundKinds.some(kind => kind === entry.kind) ? entry : undefined
}

function readOrUndefined(body: string): Entry | undefined {
  try {
    return readEntry(body)
  } catch {
    return undefined
  }
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}

/** Words for an operator; never what an entry says. */
export function fault(name: FaultName, index: number | undefined, detail: string): Fault {
  return { name, index, detail }
}
