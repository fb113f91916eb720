/** A ledger holds what was said, for ever: an append is durable when it resolves, and what it holds does not change. */
import type { Durable, Receipt } from '#protocol/message.ts'
import type { Entry } from './entry.ts'

/** What was signed, kept beside an entry for a time of its own; the entry's digests speak for it after it has expired. */
export type Evidence = {
  /** The signed question, as it was received or sent. */
  readonly question?: string | undefined
  /** The signed answer; until `keep` has brought ours, the canonical text of the answer body. */
  readonly answer?: string | undefined
}

/** An entry as read back, and where it stands. */
export type Recorded = { readonly entry: Entry; readonly receipt: Receipt }

/** Which entries are looked for; all that is named must hold. */
export type Filter = {
  /** Instants in UTC (ISO, milliseconds): `from` included, `until` not. */
  readonly from?: string | undefined
  readonly until?: string | undefined
  readonly kinds?: readonly Entry['kind'][] | undefined
  readonly peer?: string | undefined
  readonly purpose?: string | undefined
  readonly department?: string | undefined
  /** Part of the matter, as it is written. */
  readonly matter?: string | undefined
  /** `answered`, `refused` or `unknown`, or the code of a refusal. */
  readonly outcome?: string | undefined
  /** A subject's code. */
  readonly subject?: string | undefined
}

/**
 * What was found, newest first. `next` goes on from there; undefined when nothing older is left. A page may be short, or
 * empty, and still have a `next`: a search looks at so many entries and no more.
 */
export type Page = { readonly entries: readonly Recorded[]; readonly next: number | undefined }

/** The end of the chain: how many entries there are, and the link that depends on every one of them. */
export type Head = { readonly count: number; readonly link: string }

/** An entry for which evidence is held; `until` is in epoch seconds. */
export type Holding = { readonly index: number; readonly until: number }

/** A signed answer; with what stands in its payload around the body, where the body is in it to the letter. */
export type SignedAnswer = {
  readonly answer: string
  readonly around?: { readonly before: string; readonly after: string } | undefined
}

/** Everything is asynchronous, so that one type serves the file of one gateway and the PostgreSQL of several. */
export type Ledger = AsyncDisposable & {
  readonly city: string
  /** Random name of this ledger; it goes into the first link. */
  readonly id: string

  /**
   * Records an entry; resolves when it will survive a crash, with its place. The entry is trusted to be what its type says,
   * and is recorded with `heldUntil` where evidence comes with it. Rejects with TypeError when it could not be read back.
   * Rejects with `token.replayed` when a message of this peer with this jti is already recorded (by any process, in any
   * run), with `load.busy` when too many wait, with `ledger.unavailable` when it cannot be written: then it is not in the
   * ledger, and nothing may leave.
   */
  append(entry: Entry, evidence?: Evidence): Promise<Durable>

  /**
   * Brings the signed answer to an entry that was appended with evidence; the first one stays, and without evidence it is
   * let go. Its receipt rides in the answer, so the entry comes first and this after; nobody waits for it, and it does not
   * throw. A crash in between leaves the answer body, which the entry's digest covers just as well, without our signature.
   */
  keep(index: number, signed: SignedAnswer): void

  /**
   * Shows what this process appends, in its order, as soon as it is durable, until it is disposed of. What other processes
   * append, and what stood there before, has to be read. `see` holds up the next append and must not throw.
   */
  watch(see: (recorded: Recorded) => void): Disposable

  /** Whether this process recorded a message of this peer with this jti lately. A first look that saves work; `append` decides. */
  seen(peer: string, jti: string): boolean | Promise<boolean>

  entry(index: number): Promise<Recorded | undefined>
  /** What is still held for an entry; undefined when there was nothing, or it has expired. */
  evidence(index: number): Promise<Evidence | undefined>
  /** Up to `limit` entries from index `from` upwards. */
  entries(range: { readonly from: number; readonly limit: number }): Promise<readonly Recorded[]>
  /** What fits the filter below the index `before` (all, without it), at most `limit`. */
  search(filter: Filter, page: { readonly before?: number | undefined; readonly limit: number }): Promise<Page>
  head(): Promise<Head>
  count(): Promise<number>

  /**
   * How many subjects a peer was answered about since an instant, by agreement: what is used of its quotas when the gateway
   * starts.
   */
  subjectsSince(peer: string, instant: string): Promise<ReadonlyMap<string, number>>

  /** Of the entries from index `from` on, up to `limit` for which evidence is held, and until which epoch second it is held at least. */
  holding(range: { readonly from: number; readonly limit: number }): Promise<readonly Holding[]>
  /**
   * Lets go of the evidence of these entries, as far as its day has come; gives of how many. The entries stay as they are. It was
   * judged by the entries below `judgedBy`: where a hold was placed or lifted since, nothing is let go.
   */
  letGo(indexes: readonly number[], judgedBy: number): Promise<number>
  /**
   * Whether this process is the one, among all that share the ledger, that does what is to be done once; when it ends,
   * another is. Processes on one file are told by who starts them, and each of them is.
   */
  leads(): Promise<boolean>

  /**
   * Resolves when a write reaches the disk now; rejects with `ledger.unavailable` and the reason when not. Adds no entry and
   * remembers nothing: as soon as there is room again it resolves.
   */
  writable(): Promise<void>

  /** Writes what waits, then lets go of the ledger; later appends are refused. Rejects if signed answers could not be kept. */
  close(): Promise<void>
}
