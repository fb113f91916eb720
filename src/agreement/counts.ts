/** What is counted against a bound is counted once for all processes that share a bound, and never beyond it. */
/** One thing counted within one period, and how much of it there may be. */
export type Count = {
  readonly name: string
  /** Epoch milliseconds at which the period began. */
  readonly period: number
  readonly add: number
  readonly most: number
  /** What is counted already where nothing of this period is known here yet. */
  readonly from?: number
}

export type Counts = AsyncDisposable & {
  /** Adds every one of them, or where any would go beyond its most, none: then gives the name of one that would. */
  add(counts: readonly Count[]): Promise<string | undefined>
}

/** Counts of one process, in its memory; the latest period of each name is kept. */
export function countInMemory(): Counts {
  const held = new Map<string, { period: number; n: number }>()
  const current = ({ name, period, from = 0 }: Count) => {
    const known = held.get(name)
    return known?.period === period ? known.n : from
  }
  return {
    add: async counts => {
      const full = counts.find(count => current(count) + count.add > count.most)
      if (full !== undefined) return full.name
      for (const count of counts) held.set(count.name, { period: count.period, n: current(count) + count.add })
      return undefined
    },
    [Symbol.asyncDispose]: async () => {},
  }
}
