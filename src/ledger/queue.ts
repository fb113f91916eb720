/** What is appended waits a moment for company, is written in one transaction with it, and each is told what became of it. */
import { LRUCache } from 'lru-cache'
import type { Durable, Receipt } from '#protocol/message.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import { assertReadable, type Entry, entryText, outboundKinds } from './entry.ts'
import { lacking } from './evidence.ts'
import type { Evidence, Ledger, Recorded, SignedAnswer } from './ledger.ts'

/** A group is written when so many wait, or so long after the first. */
const GROUP = 32
const GROUP_DELAY = 3
/** The most that one commit takes, so that the event loop is not held for long. */
const GROUP_LIMIT = 256
/** Signed answers ride in the next group; with no group to ride in they go on their own after so many ms. */
const KEEP_DELAY = 50
/** After a commit failed, signed answers that still wait are tried again after so many ms. */
const RETRY_DELAY = 1000
/** Appends that may wait, and signed answers that may wait for room on a full disk. */
const WAITING_LIMIT = 4096
const KEEPING_LIMIT = 1024
/** How long appends wait behind a group whose engine does not say what became of it; milliseconds. */
const PATIENCE = 1500
/** Messages remembered as received; an older one still within its minutes is refused by `append`. */
const RECENT = 16_384
/** Milliseconds after which no message of then is valid: its window, both clocks, and as much again. */
const REPLAYABLE = 900_000

export const DEFAULT_RETENTION_DAYS = 180

/** One entry on its way into the ledger. */
export type Item = {
  readonly body: string
  readonly at: string
  readonly evidence: Evidence | undefined
  /** Epoch seconds. */
  readonly expiresAt: number
}

/** Where each item of a group now stands, in the order of the group; or that its message was recorded before. */
export type Written = readonly (Receipt | Refusal)[]

/**
 * The one thing an engine does for the queue: writes the signed answers and then the group, all of it durably or nothing.
 * Throws a Refusal when nothing was written, for each item and each answer alike. One group is written at a time.
 */
export type Write = (group: readonly Item[], signed: ReadonlyMap<number, SignedAnswer>) => Written | Promise<Written>

export type Queue = Pick<Ledger, 'append' | 'keep' | 'watch' | 'close'> & {
  seen(peer: string, jti: string): boolean
  /** Throws `ledger.unavailable` once the ledger is closed. */
  assertOpen(): void
}

type Waiting = Item & {
  readonly entry: Entry
  /** Of a message that came in: who sent it, and its jti. */
  readonly message: string | undefined
  readonly resolve: (receipt: Durable) => void
  readonly reject: (reason: unknown) => void
}

/**
 * Opens the queue before an engine. `retention` is in seconds. `earlier` are the messages that were recorded lately, by any
 * run, each as `peer jti` (`replayable` says how lately). `release` lets go of the engine, when nothing waits any more.
 */
export function openQueue({
  write,
  retention,
  earlier,
  release,
}: {
  readonly write: Write
  readonly retention: number
  readonly earlier: Iterable<string>
  readonly release: () => void | Promise<void>
}): Queue {
  // Both are owned by append, keep and flush, which run to their end without an await: no group sees another half done.
  const waiting: Waiting[] = []
  const keeping = new Map<number, SignedAnswer>()
  // The messages that came in lately, by this process: a look that costs nothing. What is not here, `append` still refuses.
  const recent = new LRUCache<string, true>({ max: RECENT })
  for (const message of earlier) recent.set(message, true)
  const watching = new Set<(recorded: Recorded) => void>()
  let timer: NodeJS.Timeout | undefined
  let immediate: NodeJS.Immediate | undefined
  /** The group that the engine is writing, where it does not write at once. */
  let underway: Promise<void> | undefined
  let overdue = false
  let closing: Promise<void> | undefined

  function flush(): void {
    clearTimeout(timer)
    clearImmediate(immediate)
    timer = immediate = undefined
    if (underway !== undefined) return
    const group = waiting.splice(0, GROUP_LIMIT)
    const signed = new Map(keeping)
    if (group.length === 0 && signed.size === 0) return
    const settle = (written: Written) => {
      for (const index of signed.keys()) keeping.delete(index)
      for (const [i, item] of group.entries()) tell(item, written[i])
      // Last: whoever waits for an answer comes before whoever watches.
      for (const [i, item] of group.entries()) show(item, written[i])
      schedule()
    }
    const fail = (fault: unknown) => {
      for (const item of group) item.reject(fault)
      schedule()
    }
    try {
      const written = write(group, signed)
      if (written instanceof Promise) follow(written, settle, fail)
      else settle(written)
    } catch (fault) {
      fail(fault)
    }
  }

  /** Nobody waits without end behind a group of which nothing is heard: whoever was not yet given to the engine is refused. */
  function follow(written: Promise<Written>, settle: (written: Written) => void, fail: (fault: unknown) => void): void {
    const patience = setTimeout(() => {
      overdue = true
      for (const item of waiting.splice(0)) item.reject(notHeard())
    }, PATIENCE)
    const end = () => {
      clearTimeout(patience)
      underway = undefined
      overdue = false
    }
    underway = written.then(
      result => {
        end()
        settle(result)
      },
      fault => {
        end()
        fail(fault)
      },
    )
  }

  function tell(item: Waiting, result: Receipt | Refusal | undefined): void {
    if (result === undefined || result instanceof Refusal) {
      item.reject(result ?? refuse('ledger.unavailable', 'the engine did not say where an entry stands'))
      return
    }
    if (item.message !== undefined) recent.set(item.message, true)
    // The brand is given here and nowhere else: the group is durable.
    item.resolve(result as Durable)
  }

  function show({ entry }: Waiting, receipt: Receipt | Refusal | undefined): void {
    if (receipt === undefined || receipt instanceof Refusal) return
    for (const see of watching) see({ entry, receipt })
  }

  /** Sees to it that what waits is written, soon enough, and that nothing but unwritten answers ever keeps a timer for long. */
  function schedule(): void {
    if (underway !== undefined) return
    if (waiting.length >= GROUP) immediate ??= setImmediate(flush)
    else if (waiting.length > 0) timer ??= setTimeout(flush, GROUP_DELAY)
    else if (keeping.size > 0) timer ??= setTimeout(flush, RETRY_DELAY).unref()
  }

  function assertOpen(): void {
    if (closing !== undefined) throw refuse('ledger.unavailable', 'the ledger is closed')
  }

  async function close(): Promise<void> {
    await underway
    while (waiting.length > 0) {
      flush()
      await underway
    }
    flush()
    await underway
    clearTimeout(timer)
    await release()
    if (keeping.size > 0) throw refuse('ledger.unavailable', `${keeping.size} signed answers could not be kept`)
  }

  return {
    append: async (entry, evidence) => {
      assertOpen()
      if (overdue) throw notHeard()
      if (waiting.length >= WAITING_LIMIT) throw refuse('load.busy', 'the ledger does not keep up')
      // What cannot be written, or not be read back, fails here, by itself, and not in a group with others.
      assertReadable(entry)
      const expiresAt = Math.floor(Date.parse(entry.at) / 1000) + retention
      if (Number.isNaN(expiresAt)) throw new TypeError('the entry has no instant')
      const whole = evidence === undefined ? entry : held(entry, evidence, expiresAt)
      const { promise, resolve, reject } = Promise.withResolvers<Durable>()
      const item = { entry: whole, body: entryText(whole), at: entry.at, evidence, expiresAt }
      waiting.push({ ...item, message: inboundMessage(entry), resolve, reject })
      if (waiting.length === 1) {
        // A timer that only answers wait for is too slow for an entry.
        clearTimeout(timer)
        timer = undefined
      }
      schedule()
      return promise
    },

    keep: (index, signed) => {
      if (closing !== undefined || keeping.size >= KEEPING_LIMIT || !Number.isSafeInteger(index)) return
      keeping.set(index, signed)
      if (waiting.length === 0 && underway === undefined) timer ??= setTimeout(flush, KEEP_DELAY)
    },

    watch: see => {
      watching.add(see)
      return { [Symbol.dispose]: () => watching.delete(see) }
    },

    seen: (peer, jti) => {
      assertOpen()
      return recent.has(`${peer} ${jti}`)
    },

    assertOpen,
    close: () => {
      closing ??= close()
      return closing
    },
  }
}

/** How far back an engine looks for the messages of earlier runs: since which instant (UTC, ISO), and how many at most. */
export function replayable(): { readonly since: string; readonly most: number } {
  return { since: new Date(Date.now() - REPLAYABLE).toISOString(), most: RECENT }
}

function notHeard(): Refusal {
  return refuse('ledger.unavailable', 'the group before is not known to be written')
}

/** The entry as it is recorded with evidence. Throws TypeError where the two do not belong together. */
function held(entry: Entry, evidence: Evidence, expiresAt: number): Entry {
  if (!('questionHash' in entry)) throw new TypeError('nothing was sent that could be evidence')
  const wrong = lacking(entry, evidence)
  if (wrong !== undefined) throw new TypeError(`evidence is held whole or not at all: ${wrong}`)
  return { ...entry, heldUntil: new Date(expiresAt * 1000).toISOString() }
}

/** What makes an entry of a message that came in unique; undefined for every other entry. */
function inboundMessage(entry: Entry): string | undefined {
  const ours = outboundKinds.some(kind => kind === entry.kind)
  return ours || !('jti' in entry) ? undefined : `${entry.peer} ${entry.jti}`
}
