/**
 * Evidence is let go when its days are over, in small steps, and not while a legal hold is on it; the entry and its digests
 * stay, and each letting go is an entry itself, durable before the first text is gone.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Entry } from './entry.ts'
import type { Holding, Ledger } from './ledger.ts'

type Hold = Extract<Entry, { kind: 'held' }>

/** Evidence that is looked at in one step, and the pause after it in milliseconds: an answer never waits for more than one step. */
const STEP = 256
const PAUSE = 20
/** How often it is looked for, and how soon after the start; milliseconds. */
const EVERY = 3_600_000
const FIRST = 60_000

/** The legal holds that are in force: those that were placed and not lifted since, by their name. */
export async function holdsOf(ledger: Ledger): Promise<ReadonlyMap<string, Hold>> {
  const newest = new Map<string, Hold>()
  let before: number | undefined
  do {
    const page = await ledger.search({ kinds: ['held'] }, { before, limit: 100 })
    for (const { entry } of page.entries) {
      if (entry.kind === 'held' && !newest.has(entry.hold)) newest.set(entry.hold, entry)
    }
    before = page.next
  } while (before !== undefined)
  return new Map([...newest].filter(([, { action }]) => action === 'placed'))
}

/** Whether a hold is on the evidence of an entry. A hold that names neither subjects nor a time is on all of it. */
function isHeld(entry: Entry, holds: Iterable<Hold>): boolean {
  for (const { subjects, from, until } of holds) {
    const concerned =
      (subjects === undefined ||
        ('subjects' in entry && (entry.subjects ?? []).some(each => subjects.includes(each)))) &&
      (from === undefined || entry.at >= from) &&
      (until === undefined || entry.at < until)
    if (concerned) return true
  }
  return false
}

/** What a step looked at: entries `from` to `until` (not included), and the first day, in epoch seconds, of what is held there. */
export type Stretch = { readonly from: number; readonly until: number; readonly first: number }

type Pass = {
  readonly retentionDays: number
  /** Epoch milliseconds; asked in every step, for a pass may last. */
  readonly now: () => number
  readonly pauseMs?: number
  /**
   * What earlier passes looked at, and where this one notes what it finds. Days do not change and evidence comes only at the
   * end, so a stretch is passed over until its first day: only a pass that knows of none reads all that is held.
   */
  readonly known?: Stretch[]
  /** Ends the pass with the step it is at. */
  readonly signal?: AbortSignal
}

/**
 * Lets go once of all evidence whose day has come and on which no hold is; gives of how many entries. The day of each was set
 * when it came, under what was the rule then: they stand in any order, and `retentionDays` only goes into the entries. Rejects
 * with `ledger.unavailable`, and with AbortError where the signal ended it; what was not reached stays.
 */
export async function letGoOfExpired(ledger: Ledger, pass: Pass): Promise<number> {
  const { retentionDays, now, pauseMs = PAUSE, known = [], signal } = pass
  let gone = 0
  for (let i = 0; ; i += 1) {
    const before = known[i]
    const time = now()
    if (before !== undefined && before.first * 1000 > time) continue
    const from = before?.from ?? known.at(-1)?.until ?? 0
    const held = await ledger.holding({ from, limit: STEP })
    const end = before?.until ?? (held.at(-1)?.index ?? from) + 1
    const step = held.filter(({ index }) => index < end)
    if (before === undefined && step.length === 0) return gone
    const due = step.filter(({ until }) => until * 1000 <= time)
    const { count, went } = await letGoOf(ledger, due, time, retentionDays)
    gone += count
    const left = step.filter(({ index }) => !went.has(index)).map(({ until }) => until)
    known[i] = { from, until: end, first: Math.min(...left) }
    // What comes while this goes on is for the next pass.
    if (before === undefined && held.length < STEP) return gone
    await pause(pauseMs, undefined, { signal })
  }
}

/** Lets go of those of what is due that no hold concerns; gives which went. */
async function letGoOf(
  ledger: Ledger,
  due: readonly Holding[],
  time: number,
  retentionDays: number,
): Promise<{ readonly count: number; readonly went: ReadonlySet<number> }> {
  const none = new Set<number>()
  if (due.length === 0) return { count: 0, went: none }
  // Asked for in every step: a hold that was placed a moment ago counts.
  const judgedBy = await ledger.count()
  const holds = [...(await holdsOf(ledger)).values()]
  const going = await free(ledger, due, holds)
  const [first] = going
  const last = going.at(-1)
  if (first === undefined || last === undefined) return { count: 0, went: none }
  const at = new Date(time).toISOString()
  const range = { from: first, until: last + 1, count: going.length }
  await ledger.append({ kind: 'expired', at, city: ledger.city, ...range, retentionDays })
  const count = await ledger.letGo(going, judgedBy)
  // What stayed after all, by the ledger's own clock or for a hold of this moment, is due in the next pass.
  return { count, went: count === going.length ? new Set(going) : none }
}

/** Those of the indexes whose entries no hold concerns. */
async function free(ledger: Ledger, due: readonly Holding[], holds: readonly Hold[]): Promise<number[]> {
  if (holds.length === 0) return due.map(({ index }) => index)
  const going: number[] = []
  for (const { index } of due) {
    const found = await ledger.entry(index)
    if (found !== undefined && !isHeld(found.entry, holds)) going.push(index)
  }
  return going
}

/**
 * Looks for expired evidence every hour, in whichever process leads; `failed` is told when it could not be done, and it is
 * tried again. Ends with the step it is at.
 */
export function keepRetention(
  ledger: Ledger,
  {
    firstMs = FIRST,
    failed,
    ...rule
  }: Pick<Pass, 'retentionDays' | 'now' | 'pauseMs'> & {
    /** How soon after the start; milliseconds. */
    readonly firstMs?: number
    readonly failed: (fault: unknown) => void
  },
): AsyncDisposable {
  const ending = new AbortController()
  const { signal } = ending
  const known: Stretch[] = []
  const run = async () => {
    for (let wait = firstMs; ; wait = EVERY) {
      await pause(wait, undefined, { signal, ref: false })
      try {
        if (await ledger.leads()) await letGoOfExpired(ledger, { ...rule, known, signal })
      } catch (fault) {
        if (!signal.aborted) failed(fault)
      }
    }
  }
  const ended = run().catch(() => {})
  return {
    async [Symbol.asyncDispose]() {
      ending.abort()
      await ended
    },
  }
}
