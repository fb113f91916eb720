/** Every entry of the ledger is seen once and in order, old ones and new ones, by whoever counts or watches; no answer waits for it. */
import type { Ledger, Recorded } from '#ledger/ledger.ts'
import { firstSince } from '#ledger/since.ts'

/** Entries read at a time: reading them blocks the event loop, and this many take a few milliseconds. */
const STEP = 100
/** While there is more to read, reading takes one part in so many of the time. */
const SHARE = 4
/** Milliseconds until the next look, once everything was seen. */
const PAUSE = 500
/** Milliseconds until the next try, after the ledger could not be read. */
const RETRY = 5_000

export type Following = AsyncDisposable & {
  /** Index of the next entry to be seen. */
  readonly next: () => number
  /** Resolves when all that stands in the ledger now was seen; also when the following ends, or cannot read. */
  caughtUp(): Promise<void>
}

/**
 * Follows the ledger from the first entry at or after an instant (epoch milliseconds). `see` must not throw. What cannot be
 * read is told to `failed` and tried again. Disposing of it ends it before its next step, so it goes before the ledger does.
 */
export function follow(
  ledger: Ledger,
  since: number,
  see: (recorded: Recorded) => void,
  failed: (error: unknown) => void,
): Following {
  const end = new AbortController()
  let next: number | undefined
  let wake: () => void = () => undefined
  let round = Promise.withResolvers<void>()
  // Reading back what this process has just written would cost every answer a part of its time; so whatever comes next in
  // turn is seen as it is appended, and only the rest is read.
  const appended = ledger.watch(recorded => {
    if (recorded.receipt.index === next) take(recorded)
  })

  const take = (recorded: Recorded) => {
    next = recorded.receipt.index + 1
    see(recorded)
  }
  const rest = (ms: number) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms).unref()
    wake = () => {
      clearTimeout(timer)
      resolve()
    }
    return promise
  }
  /** Gives whether there may be more. */
  const step = async (): Promise<boolean> => {
    const began = performance.now()
    next ??= await firstSince(ledger, new Date(since).toISOString())
    const entries = await ledger.entries({ from: next, limit: STEP })
    // Some may have been appended, and seen, while they were read.
    for (const each of entries) if (each.receipt.index >= next) take(each)
    if (entries.length < STEP) return false
    await rest((performance.now() - began) * (SHARE - 1))
    return true
  }
  const run = async () => {
    while (!end.signal.aborted) {
      const asked = round
      let pause = PAUSE
      try {
        if (await step()) continue
      } catch (error) {
        if (end.signal.aborted) break
        failed(error)
        pause = RETRY
      }
      // Whoever asked while the last step was under way may have meant an entry that it did not see.
      round = Promise.withResolvers<void>()
      asked.resolve()
      if (!end.signal.aborted) await rest(pause)
    }
    round.resolve()
  }
  const running = run()
  return {
    next: () => next ?? 0,
    async caughtUp() {
      // The round under way may have read before the newest entry was written; the one after it has not.
      for (let rounds = 0; rounds < 2 && !end.signal.aborted; rounds++) {
        const { promise } = round
        wake()
        await promise
      }
    },
    async [Symbol.asyncDispose]() {
      end.abort()
      appended[Symbol.dispose]()
      wake()
      await running
    },
  }
}
