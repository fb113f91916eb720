/** The thread that keeps a ledger's index and searches by it: it reads the ledger's file and never writes to it. */
import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { Entry, Identity } from './entry.ts'
import { matches } from './filter.ts'
import { type IndexFile, indexPath, openIndexFile, removeIndexFile, Unusable } from './index-file.ts'
import type { Filter } from './ledger.ts'
import { type Term, termsAsked, termsOf, writtenPart } from './search.ts'
import { type Bits, candidates, type Draft, draft, places, type Segment, SIZE } from './segment.ts'
import { bytes, integer, text } from './tables.ts'

/** What the thread is asked, one message each; and `close`, after which it ends. */
export type Request = {
  readonly id: number
  readonly filter: Filter
  /** All that lies below this index is searched. */
  readonly before: number
  readonly limit: number
}

/** Indexes of entries that fit, the last first, and where to go on. */
export type Found = { readonly indexes: readonly number[]; readonly next: number | undefined }
export type Reply = { readonly id: number } & ({ readonly found: Found } | { readonly fault: string })

/** Entries that are read between two looks at what is asked: a few milliseconds. */
const SLICE = 512
/** Entries that one search looks at, found by the index or not; and as how many a look into a segment counts. */
const LOOKS = 2048
const CONSULTED = 4
/** Milliseconds between two looks at the ledger's end. */
const PAUSE = 500
/** Segments that are whole and could not be written yet: no more are held. */
const UNWRITTEN = 4
/** Free bytes on the volume that are left to the ledger. */
const RESERVE = 256 * 1024 * 1024
/** Milliseconds after which a file that was of no use is tried again. */
const RETRY = 10_000

const EVERY: Bits = new Uint32Array(SIZE / 32).fill(0xffffffff)

type Searcher = {
  search(filter: Filter, before: number, limit: number): Found
  /** Reads what is appended and makes what segments are missing, until it is closed. */
  keepUp(): Promise<void>
  close(): void
}

function open(ledgerPath: string, identity: Identity): Searcher {
  const path = indexPath(ledgerPath)
  const ledger = new DatabaseSync(ledgerPath, { readOnly: true, defensive: true, timeout: 1000 })
  ledger.exec('PRAGMA trusted_schema = OFF')
  const countOf = ledger.prepare('SELECT coalesce(max(ix), -1) + 1 AS n FROM entry')
  const bodyOf = ledger.prepare('SELECT body FROM entry WHERE ix = ?')
  const linkOf = ledger.prepare('SELECT link FROM entry WHERE ix = ?')
  const range = ledger.prepare('SELECT ix, body FROM entry WHERE ix >= ? ORDER BY ix LIMIT ?')

  const count = () => integer(countOf.get()?.['n'])
  /** Segments that are not in the file: the one that grows, and the last ones that could not be written yet. */
  const drafts = new Map<number, Draft>()
  let growing = Math.floor(count() / SIZE)
  drafts.set(growing, draft())
  /** A segment that is made of entries of long ago; the file's lock is held for it. */
  let missing: { readonly n: number; readonly draft: Draft } | undefined
  let file: IndexFile | undefined
  let triedAt = Number.NEGATIVE_INFINITY
  const closing = new AbortController()

  /** Everything below was read: it is in a draft, or in the file, or missing there. */
  const read = () => growing * SIZE + (drafts.get(growing)?.size ?? 0)
  const lastLink = (n: number) => bytes(linkOf.get((n + 1) * SIZE - 1)?.['link'] ?? new Uint8Array())

  /** The file, where it is of use; it is tried again now and then. */
  function opened(): IndexFile | undefined {
    if (file === undefined && performance.now() - triedAt > RETRY) {
      triedAt = performance.now()
      file = openIndexFile(path, identity)
    }
    return file
  }

  /** Does something with the file, or without it while it is of no use. One that is damaged is made anew at once. */
  function withFile<T>(work: (file: IndexFile | undefined) => T): T {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return work(attempt < 2 ? opened() : undefined)
      } catch (fault) {
        if (!(fault instanceof Unusable)) throw fault
        missing = undefined
        file?.[Symbol.dispose]()
        file = undefined
        if (fault.damaged && attempt === 0) remove()
      }
    }
  }

  function remove(): void {
    try {
      removeIndexFile(path)
      triedAt = Number.NEGATIVE_INFINITY
    } catch {
      // Not ours to remove: searches go on without it.
    }
  }

  function segment(n: number, from: IndexFile | undefined): Segment | undefined {
    return drafts.get(n) ?? from?.segment(n, () => lastLink(n))
  }

  /**
   * Reads up to so many entries at the end of a draft; gives how many there were. In a ledger from which entries were taken
   * the others stay in their places.
   */
  function extend(n: number, onto: Draft): number {
    let added = 0
    for (const row of range.iterate(n * SIZE + onto.size, SLICE)) {
      const place = integer(row['ix']) - n * SIZE
      while (onto.size < Math.min(place, SIZE)) onto.add(Number.NaN, [])
      if (place >= SIZE) break
      const { at, terms, matter } = postingOf(text(row['body']))
      onto.add(at, terms, matter)
      added += 1
    }
    return added
  }

  /** Reads a slice of what was appended; gives whether there may be more. */
  function follow(): boolean {
    let last = drafts.get(growing)
    if (last === undefined || last.size === SIZE) {
      growing += 1
      last = draft()
      drafts.set(growing, last)
      drafts.delete(growing - UNWRITTEN - 1)
    }
    return extend(growing, last) > 0 || last.size === SIZE
  }

  function hasRoom(): boolean {
    const { blocks, bavail, bsize } = statfsSync(dirname(path))
    return blocks === 0 || bavail * bsize >= RESERVE
  }

  /** Works for a moment at a segment that is missing in the file, the newest first; gives whether there was anything to do. */
  function fill(): boolean {
    return withFile(from => {
      if (from === undefined) return false
      if (missing !== undefined) {
        extend(missing.n, missing.draft)
        if (missing.draft.size === SIZE) {
          const { n, draft: whole } = missing
          missing = undefined
          from.write(n, lastLink(n), whole.blocks())
          drafts.delete(n)
        }
        return true
      }
      for (let n = growing - 1; n >= 0; n -= 1) {
        if (from.segment(n, () => lastLink(n)) === undefined) return begin(n, from)
        drafts.delete(n)
      }
      return false
    })
  }

  function begin(n: number, from: IndexFile): boolean {
    if (!hasRoom() || !from.take()) return false
    // Another process may have made it just before.
    if (from.segment(n, () => lastLink(n)) === undefined) missing = { n, draft: drafts.get(n) ?? draft() }
    else from.drop()
    return true
  }

  function search(filter: Filter, before: number, limit: number): Found {
    while (follow());
    return withFile(from => searchBy(from, filter, Math.min(before, read()), limit))
  }

  function searchBy(from: IndexFile | undefined, filter: Filter, top: number, limit: number): Found {
    const asked = termsAsked(filter)
    const part = writtenPart(filter)
    const since = filter.from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(filter.from)
    const until = filter.until === undefined ? Number.POSITIVE_INFINITY : Date.parse(filter.until)
    const indexes: number[] = []
    let looks = 0
    for (let n = Math.ceil(top / SIZE) - 1; n >= 0; n -= 1) {
      if (looks >= LOOKS) return { indexes, next: Math.min(top, (n + 1) * SIZE) }
      const own = segment(n, from)
      const bits = own === undefined ? EVERY : candidates(own, asked, since, until, filter.matter)
      looks += CONSULTED
      if (bits === undefined) continue
      for (const place of places(bits, top - n * SIZE)) {
        const index = n * SIZE + place
        if (looks >= LOOKS) return { indexes, next: index + 1 }
        looks += 1
        if (!fits(index, filter, part)) continue
        // One more than was asked for: then it is known that there is something to go on with.
        if (indexes.length === limit) return { indexes, next: indexes.at(-1) }
        indexes.push(index)
      }
    }
    return { indexes, next: undefined }
  }

  /** Whatever an index says, it is the entry itself that fits or does not. */
  function fits(index: number, filter: Filter, part: string | undefined): boolean {
    const row = bodyOf.get(index)
    if (row === undefined) return false
    try {
      const body = text(row['body'])
      return (part === undefined || body.includes(part)) && matches(readUnchecked(body), filter)
    } catch {
      return false
    }
  }

  async function rest(ms: number): Promise<void> {
    try {
      await setTimeout(ms, undefined, { signal: closing.signal })
    } catch {
      // It is closed.
    }
  }

  return {
    search,

    keepUp: async () => {
      while (!closing.signal.aborted) {
        const before = process.threadCpuUsage()
        try {
          if (follow()) await setImmediate()
          else if (fill()) {
            // To make up for a long ledger may take minutes: half of a processor's time is left to others.
            const { user, system } = process.threadCpuUsage(before)
            await rest((user + system) / 1000)
          } else await rest(PAUSE)
        } catch {
          // The ledger cannot be read now; who asks meanwhile is told so.
          await rest(PAUSE)
        }
      }
    },

    close: () => {
      closing.abort()
      missing = undefined
      file?.[Symbol.dispose]()
      file = undefined
      ledger.close()
    },
  }
}

/** Where an entry is put. A text that is none has no terms and no time. */
function postingOf(body: string): { at: number; terms: Term[]; matter: string } {
  try {
    const entry = readUnchecked(body)
    const matter = 'matter' in entry ? entry.matter : ''
    return { at: Date.parse(entry.at), terms: termsOf(entry), matter }
  } catch {
    return { at: Number.NaN, terms: [], matter: '' }
  }
}

/**
 * The entry of a text of the ledger, to be looked at: whoever is given it reads it again, and checks its form. What is not of
 * its form may throw when it is looked at, as a text that is no JSON does here.
 */
function readUnchecked(body: string): Entry {
  return JSON.parse(body)
}

function reply(searcher: Searcher, { id, filter, before, limit }: Request): Reply {
  try {
    return { id, found: searcher.search(filter, before, limit) }
  } catch (fault) {
    return { id, fault: fault instanceof Error ? fault.message : String(fault) }
  }
}

if (parentPort !== null) {
  const { ledgerPath, identity }: { ledgerPath: string; identity: Identity } = workerData
  const port = parentPort
  const searcher = open(ledgerPath, identity)
  port.on('message', (request: Request | 'close') => {
    if (request === 'close') {
      searcher.close()
      port.close()
      return
    }
    port.postMessage(reply(searcher, request))
  })
  await searcher.keepUp()
}
