/** Which configuration held when is in the ledger: the digests of its files, and which of them differ from the entry before. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import type { Ledger } from '#ledger/ledger.ts'
import { replaceFile } from '#trust/replace.ts'
import type { Meaning } from './configuration.ts'

type Digests = Meaning['digests']

export type Configured = {
  /** The digests of the newest entry; none where there is no such entry, or none is found soon. Rejects as `search` does. */
  newest(): Promise<Digests>
  /** Records a configuration before it holds, with the paths of the files that differ. Rejects as `append` does. */
  record(digests: Digests, changed: readonly string[]): Promise<void>
}

/** Pages of a search that a start waits for: the whole ledger by the index, and some ten thousand entries without. */
const PAGES = 8

/**
 * `note` is a file of ours that says where the newest entry is, for a ledger to which nobody else adds such entries: to search a
 * ledger that is a file takes a thread, and that 20 MB for as long as the gateway runs. `now` gives epoch milliseconds.
 */
export function openConfigured(ledger: Ledger, city: string, now: () => number, note?: string): Configured {
  const noted = async () => {
    if (note === undefined || !existsSync(note)) return undefined
    const [, id, index] = /^(\S+) (\d+)\n$/.exec(readFileSync(note, 'utf8')) ?? []
    return id === ledger.id ? (await ledger.entry(Number(index)))?.entry : undefined
  }
  return {
    async newest() {
      if ((await ledger.count()) === 0) return {}
      const found = await noted()
      if (found?.kind === 'configured') return found.digests
      let before: number | undefined
      for (let page = 0; page < PAGES; page += 1) {
        const { entries, next } = await ledger.search({ kinds: ['configured'] }, { before, limit: 1 })
        for (const { entry } of entries) if (entry.kind === 'configured') return entry.digests
        if (next === undefined) break
        before = next
      }
      return {}
    },
    async record(digests, changed) {
      // Gone before there is another entry: whatever ends us in between, a note that is there is true.
      if (note !== undefined) rmSync(note, { force: true })
      const at = new Date(now()).toISOString()
      const { index } = await ledger.append({ kind: 'configured', at, city, digests, changed: [...changed] })
      try {
        if (note !== undefined) replaceFile(note, `${ledger.id} ${index}\n`)
      } catch {
        // It is recorded, which is what counts; without the note the next start searches.
      }
    },
  }
}
