/**
 * Evidence is let go when its days are over, in small steps, and not while a legal hold is on it; the entry and its digests
 * stay, and each letting go is an entry itself, durable before the first text is gone.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Entry } from './entry.ts'
import type { Holding, Ledger } from './ledger.ts'

type Hold = Extract<Entry, { kind: 'held' }>

/** Evidence that is looked at in one step, and the pause after it: an answer never waits for more than one step. */
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

/**
 * Lets go once of all evidence whose day has come and on which no hold is; gives of how many entries. `now` is epoch
 * milliseconds, `retentionDays` goes into the entries. Rejects with `ledger.unavailable`; what was not reached stays.
 */
export async function letGoOfExpired(
  ledger: Ledger,
  {
    retentionDays,
    now,
    pauseMs = PAUSE,
  }: { readonly retentionDays: number; readonly now: number; readonly pauseMs?: number },
): Promise<number> {
  let gone = 0
  let from = 0
  for (;;) {
    const step = await ledger.holding({ from, limit: STEP })
    const due = step.filter(({ until }) => until * 1000 <= now)
    // Evidence stands nearly in the order of its days: where a whole step has time yet, all behind it has.
    if (due.length === 0) return gone
    // Asked for in every step: a hold that was placed a moment ago counts.
    const judgedBy = await ledger.count()
    const holds = [...(await holdsOf(ledger)).values()]
    const going = await free(ledger, due, holds)
    const [first] = going
    const last = going.at(-1)
    if (first !== undefined && last !== undefined) {
      const at = new Date(now).toISOString()
      const range = { from: first, until: last + 1, count: going.length }
      await ledger.append({ kind: 'expired', at, city: ledger.city, ...range, retentionDays })
      gone += await ledger.letGo(going, judgedBy)
    }
    from = (step.at(-1)?.index ?? from) + 1
    await pause(pauseMs)
  }
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
    retentionDays,
    now,
    failed,
  }: {
    readonly retentionDays: number
    /** Epoch milliseconds. */
    readonly now: () => number
    readonly failed: (fault: unknown) => void
  },
): AsyncDisposable {
  const ending = new AbortController()
  const run = async () => {
    for (let wait = FIRST; ; wait = EVERY) {
      await pause(wait, undefined, { signal: ending.signal, ref: false })
      try {
        if (await ledger.leads()) await letGoOfExpired(ledger, { retentionDays, now: now() })
      } catch (fault) {
        if (!ending.signal.aborted) failed(fault)
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
