/** A search over a ledger sees every entry that was there when it began, and never holds the event loop. */
import { Worker } from 'node:worker_threads'
import { type Refusal, refuse } from '#protocol/refusal.ts'
import type { Identity } from './entry.ts'
import type { Found, Reply, Request } from './index-thread.ts'
import type { Filter } from './ledger.ts'

/** Searches that may wait. */
const WAITING_LIMIT = 64
const LIMIT = 1000

export type Index = {
  /**
   * Indexes of entries that fit the filter, the newest first, below `before` where it is given; at most `limit`, from 1 to
   * 1000. Who reads the entries has the last word: an entry that cannot be read is not found, or does not fit.
   * Rejects with `load.busy` when too many searches wait, and with `ledger.unavailable` when the ledger cannot be read.
   */
  search(filter: Filter, page: { readonly before?: number | undefined; readonly limit: number }): Promise<Found>
  close(): Promise<void>
}

/**
 * The index of a ledger in a file. Its thread is started by the first search, and a process in which nobody searches has none;
 * from then on it keeps up with what is appended. A search for nothing, `{ kinds: [] }`, starts it ahead of the first one.
 */
export function openIndex(ledgerPath: string, identity: Identity): Index {
  type Waiting = { readonly resolve: (found: Found) => void; readonly reject: (reason: Refusal) => void }
  const waiting = new Map<number, Waiting>()
  let worker: Worker | undefined
  let ended: Promise<void> = Promise.resolve()
  let closed = false
  let id = 0

  function start(): Worker {
    // A thread of its own costs memory: it has as much as it needs, and its young generation is small.
    const started = new Worker(new URL('./index-thread.ts', import.meta.url), {
      workerData: { ledgerPath, identity },
      // What this process was started with is for its own program.
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 },
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    ended = promise
    let reason = 'the search ended'
    started.on('message', (reply: Reply) => {
      const asked = waiting.get(reply.id)
      waiting.delete(reply.id)
      if ('found' in reply) asked?.resolve(reply.found)
      else asked?.reject(unavailable(reply.fault))
      if (waiting.size === 0) started.unref()
    })
    started.on('error', fault => {
      if (fault instanceof Error) reason = fault.message
    })
    started.on('exit', () => {
      worker = undefined
      for (const { reject } of waiting.values()) reject(unavailable(reason))
      waiting.clear()
      resolve()
    })
    started.unref()
    return started
  }

  return {
    search: async (filter, { before = Number.MAX_SAFE_INTEGER, limit }) => {
      if (closed) throw unavailable('the ledger is closed')
      if (waiting.size >= WAITING_LIMIT) throw refuse('load.busy', 'too many searches wait')
      worker ??= start()
      worker.ref()
      id += 1
      const { promise, resolve, reject } = Promise.withResolvers<Found>()
      waiting.set(id, { resolve, reject })
      const request: Request = { id, filter, before, limit: Math.max(1, Math.min(LIMIT, limit)) }
      worker.postMessage(request)
      return promise
    },

    close: () => {
      closed = true
      worker?.ref()
      worker?.postMessage('close')
      return ended
    },
  }
}

function unavailable(reason: string): Refusal {
  return refuse('ledger.unavailable', reason)
}
