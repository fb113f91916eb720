/** Where the entries of an instant begin is found by halving the ledger, whether its entries are at hand or have to be waited for. */
import type { Ledger } from './ledger.ts'

/** The first index whose entry is of this instant (ISO, UTC) or later, to be trusted as far as clocks went forward. */
export async function firstSince(ledger: Pick<Ledger, 'count' | 'entry'>, instant: string): Promise<number> {
  return firstSinceAsked(await ledger.count(), instant, async index => (await ledger.entry(index))?.entry.at)
}

/** The same where the instant of each entry has to be asked for; `count` is how many there are. */
export async function firstSinceAsked(
  count: number,
  instant: string,
  ask: (index: number) => Promise<string | undefined>,
): Promise<number> {
  const search = halving(count, instant)
  let step = search.next()
  while (!step.done) step = search.next(await ask(step.value))
  return step.value
}

/** The same where `at` knows the instant of each entry at once; `count` is how many there are. */
export function firstSinceAt(count: number, instant: string, at: (index: number) => string | undefined): number {
  const search = halving(count, instant)
  let step = search.next()
  while (!step.done) step = search.next(at(step.value))
  return step.value
}

/** Asks for the instant of one index after another, and gives the first that is not before `instant`. */
function* halving(count: number, instant: string): Generator<number, number, string | undefined> {
  let low = 0
  let high = count
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const at = yield middle
    if (at === undefined || at >= instant) high = middle
    else low = middle + 1
  }
  return low
}
