/**
 * A ledger is a transparency log: its entries are the leaves of a tree that only grows, and every size that it tells anybody
 * stands in a checkpoint that was durable before it was told. Two checkpoints of one log never contradict each other.
 *
 * Nothing of this is in the way of an answer. The tree follows the entries that are durable already, a second behind.
 */
import type { KeyObject } from 'node:crypto'
import { refuse } from '#protocol/refusal.ts'
import { cosign, cosignerKey, logKey, type NoteKey, readOwn, type Signed, signCheckpoint } from './checkpoint.ts'
import {
  consistencyProof,
  filledTiles,
  fromTiles,
  HASH_LENGTH,
  inclusionProof,
  perfectRoot,
  provesConsistency,
  type ReadHashes,
  type ReadTile,
  rootOf,
  TILE_WIDTH,
  type TilePlace,
} from './tree.ts'

/** A full tile: 256 hashes one behind the other, and the root over them. */
export type Tile = TilePlace & { readonly hashes: Uint8Array; readonly root: Uint8Array }

/** A checkpoint as it is kept: `at` is an instant in UTC. */
export type Kept = { readonly size: number; readonly note: string; readonly at: string }

/** What we cosigned last of another city's log, under the one key that its checkpoints are signed with. */
export type Witnessed = Kept & {
  readonly city: string
  readonly origin: string
  /** C2SP verifier key of the log. */
  readonly key: string
}

/** Why what a log says contradicts what it said before. */
export const contradictionNames = ['forked', 'rewritten', 'shortened', 'replaced'] as const
type ContradictionName = (typeof contradictionNames)[number]

/** Checkpoints for which cosignatures may still be on their way: two minutes where one is signed each second. */
export const COSIGNABLE = 120

/** By whom and when (an instant in UTC) a contradiction was acknowledged. */
type Acknowledged = { readonly by: string; readonly at: string }

/** Two things that a log said and that cannot both be true; `held` was said first. Notes where there are notes. */
export type Contradiction = {
  readonly city: string
  readonly name: ContradictionName
  readonly held: string
  readonly found: string
  /** In words for an operator. */
  readonly detail: string
  /** An instant in UTC. */
  readonly at: string
  /** Undefined as long as it stands. */
  readonly acknowledged?: Acknowledged | undefined
}

/**
 * Where the log keeps what it makes, beside the entries: one port for the file of one gateway and the PostgreSQL of several.
 * What a call has written is durable when it resolves. Every method rejects with `ledger.unavailable` where it cannot.
 */
export type LogStore = AsyncDisposable & {
  /** How many entries are durable. */
  count(): Promise<number>
  /** The leaf hashes of `count` entries from `from`, one behind the other; fewer where there are fewer. */
  leaves(from: number, count: number): Promise<Uint8Array>
  /** The hashes of a full tile, or undefined. */
  tile(place: TilePlace): Promise<Uint8Array | undefined>
  /** The roots of up to `count` full tiles of a level from number `from`, one behind the other. */
  roots(level: number, from: number, count: number): Promise<Uint8Array>
  newest(): Promise<Kept | undefined>
  /** The newest checkpoints, the newest first. */
  checkpoints(limit: number): Promise<readonly Kept[]>
  /** Those of this size or larger, the smallest first. */
  checkpointsFrom(size: number, limit: number): Promise<readonly Kept[]>
  /**
   * Takes new tiles and the checkpoint over them, all or nothing, if the newest checkpoint is still the one of size `after`
   * (undefined: there is none). False where another process was faster. A checkpoint that nobody cosigned is let go after a while.
   */
  extend(tiles: readonly Tile[], checkpoint: Kept, after: number | undefined): Promise<boolean>
  /**
   * Adds signature lines to the note of the checkpoint of this size: of each key one, ever, and no more than a note may have.
   * What is no signature line is left out.
   */
  cosigned(size: number, lines: readonly string[]): Promise<void>

  /** Of each city the newest row: the one log of it that we know. */
  witnessed(): Promise<readonly Witnessed[]>
  /** All rows, those of former logs as well, in the order in which the logs became known. */
  everWitnessed(): Promise<readonly Witnessed[]>
  /** Puts a row in place of the newest of its city if that is still of size `after`; false where it is not. */
  witness(row: Witnessed, after: number): Promise<boolean>
  /** Begins to know a city by a log and key; does nothing where one is known. */
  know(row: Witnessed): Promise<void>
  /** All that were ever found, of one city or of all, the oldest first; none ever goes, or comes before another. */
  contradictions(city?: string): Promise<readonly Contradiction[]>
  /**
   * Records a contradiction once, a replacement once until it is acknowledged; true where it is new. Of another city's log one
   * of a name stands at a time, for the city itself can make as many as it likes; of our own each counts, as long as it holds.
   */
  contradict(found: Contradiction): Promise<boolean>
  /**
   * Marks what is not acknowledged of the first `seen` that `contradictions` gives of a city, and nothing that came after; gives
   * how many that were. Where a replacement is among them, the city is known from then on by what it publishes: of an origin
   * that it was known by before, under whichever key, by all that was held, and of another by nothing. There is no other way.
   */
  acknowledge(
    city: string,
    seen: number,
    acknowledged: Acknowledged,
    published?: Pick<Witnessed, 'origin' | 'key'>,
  ): Promise<number>
}

export type Log = {
  readonly origin: string
  /** Under which its checkpoints are signed, and under which it cosigns those of others. */
  readonly keys: { readonly log: NoteKey; readonly witness: NoteKey }
  /**
   * Brings the tree up to the last durable entry, if need be, and signs a checkpoint of it. Rejects with
   * `ledger.contradicted` where the entries are no longer those that the last checkpoint says: then nothing is signed.
   */
  integrate(): Promise<Signed>
  /** The last checkpoint, whoever of us signed it, with its cosignatures. */
  newest(): Promise<Signed | undefined>
  /** Of the tree of this size. Rejects with RangeError where the last checkpoint is of fewer entries. */
  rootAt(size: number): Promise<Uint8Array>
  /** RFC 6962 sections 2.1.1 and 2.1.2. Reject with RangeError beyond the last checkpoint. */
  inclusion(index: number, size: number): Promise<readonly Uint8Array[]>
  consistency(from: number, to: number): Promise<readonly Uint8Array[]>
  /** A tile as C2SP tlog-tiles has it, cut off behind `width` hashes; undefined where the last checkpoint has no such tile. */
  tile(place: TilePlace, width: number): Promise<Uint8Array | undefined>
  /** Keeps what witnesses said of a checkpoint of ours. */
  cosigned(size: number, lines: readonly string[]): Promise<void>
  /** Cosigns a checkpoint of another log as of this instant (epoch milliseconds). */
  cosign(checkpoint: Signed, now: number): string
}

export type LogOptions = {
  readonly store: LogStore
  readonly city: string
  /** The id of the ledger: another ledger is another log. */
  readonly id: string
  /** Ed25519, private. */
  readonly key: KeyObject
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** Entries that are taken into the tree at once: some 50 ms of reading and hashing, then whoever waits comes first. */
const STEP = 16 * TILE_WIDTH

/** The origin of a ledger's log, and the name of its key. */
export function originOf(city: string, id: string): string {
  return `xinqiao/${city}/${id}`
}

/** The name under which a city cosigns the checkpoints of others. */
export function witnessName(city: string): string {
  return `xinqiao/${city}/witness`
}

/** Opens the log of a ledger; it does nothing by itself. Throws TypeError for a key that is not Ed25519. */
export function openLog({ store, city, id, key, now }: LogOptions): Log {
  const origin = originOf(city, id)
  const keys = { log: logKey(origin, key), witness: cosignerKey(witnessName(city), key) }
  let running: Promise<Signed> | undefined

  const newest = async () => {
    const kept = await store.newest()
    return kept && read(kept.note)
  }
  const read = (note: string): Signed => {
    const signed = readOwn(note, keys.log)
    if (typeof signed === 'object') return signed
    // A note of this log under another key is not ours to go on from, whoever signed it.
    throw refuse('ledger.contradicted', `the last checkpoint is ${signed}: it is not of this ledger and this log.pem`)
  }

  const step = async (before: Signed | undefined, to: number): Promise<Signed> => {
    const tiles = new Map<string, Tile>()
    const readTile = tileReader(store, to, tiles)
    for (const place of filledTiles(before?.size ?? 0, to)) {
      const hashes = await readTile(place.level, place.n * TILE_WIDTH, TILE_WIDTH)
      tiles.set(nameOf(place), { ...place, hashes, root: perfectRoot(hashes) })
    }
    const tree = fromTiles(readTile)
    const root = await rootOf(to, tree)
    if (before !== undefined && before.size > 0) {
      const part = { start: 0, end: before.size, root: before.root }
      if (!provesConsistency(part, { size: to, root }, await consistencyProof(before.size, to, tree))) {
        throw refuse('ledger.contradicted', `the entries are not those of the checkpoint of ${before.size} any more`)
      }
    }
    const note = signCheckpoint({ origin, size: to, root, extensions: [] }, key)
    const kept = { size: to, note, at: new Date(now()).toISOString() }
    const isTaken = await store.extend([...tiles.values()], kept, before?.size)
    const signed = isTaken ? read(note) : await newest()
    if (signed === undefined) throw refuse('ledger.unavailable', 'the checkpoint is not there')
    return signed
  }
  const integrate = async (): Promise<Signed> => {
    const count = await store.count()
    let last = await newest()
    if (last !== undefined && last.size > count) {
      throw refuse('ledger.contradicted', `there are ${count} entries, and the last checkpoint is of ${last.size}`)
    }
    while (last === undefined || last.size < count) {
      const size: number = last?.size ?? 0
      last = await step(last, Math.min(count, size - (size % TILE_WIDTH) + STEP))
      await new Promise(setImmediate)
    }
    return last
  }

  /** Tree of the last checkpoint. */
  const within = async (size: number) => {
    const last = await store.newest()
    if (!Number.isSafeInteger(size) || size < 0 || size > (last?.size ?? 0))
      throw new RangeError('beyond the last checkpoint')
    return fromTiles(tileReader(store, last?.size ?? 0))
  }
  return {
    origin,
    keys,
    integrate: () => (running ??= integrate().finally(() => (running = undefined))),
    newest,
    rootAt: async size => rootOf(size, await within(size)),
    inclusion: async (index, size) => inclusionProof(index, size, await within(size)),
    consistency: async (from, to) => consistencyProof(from, to, await within(to)),
    async tile({ level, n }, width) {
      const last = await store.newest()
      const size = last?.size ?? 0
      const there = Math.floor(size / TILE_WIDTH ** level) - n * TILE_WIDTH
      return width >= 1 && width <= Math.min(there, TILE_WIDTH)
        ? await tileReader(store, size)(level, n * TILE_WIDTH, width)
        : undefined
    },
    cosigned: store.cosigned,
    cosign: (checkpoint, at) => cosign(checkpoint, keys.witness.name, key, Math.floor(at / 1000)),
  }
}

/** The tree of the last checkpoint in a store, for whoever has no key to sign it with; smaller ones are parts of it. */
export function treeIn(store: LogStore): ReadHashes {
  return async nodes => fromTiles(tileReader(store, (await store.newest())?.size ?? 0))(nodes)
}

function nameOf({ level, n }: TilePlace): string {
  return `${level}/${n}`
}

/**
 * Reads each tile of the tree of this size once: a full one as it is kept, the last one of a level from what it is made of,
 * roots of tiles below, or entries. `fresh` are full ones that are not kept yet.
 */
function tileReader(store: LogStore, size: number, fresh: ReadonlyMap<string, Tile> = new Map()): ReadTile {
  const tiles = new Map<string, Promise<Uint8Array>>()
  const read = async ({ level, n }: TilePlace): Promise<Uint8Array> => {
    const from = n * TILE_WIDTH
    const count = Math.min(TILE_WIDTH, Math.floor(size / TILE_WIDTH ** level) - from)
    const kept = count === TILE_WIDTH ? await store.tile({ level, n }) : undefined
    if (kept !== undefined) return kept
    const stored = level === 0 ? await store.leaves(from, count) : await store.roots(level - 1, from, count)
    const hashes = [stored]
    for (let each = from + stored.length / HASH_LENGTH; level > 0 && each < from + count; each += 1) {
      hashes.push(fresh.get(nameOf({ level: level - 1, n: each }))?.root ?? new Uint8Array())
    }
    const found = Buffer.concat(hashes)
    if (found.length === count * HASH_LENGTH) return found
    throw refuse('ledger.unavailable', `tile ${nameOf({ level, n })} of the log is missing, or what it is made of`)
  }
  return async (level, from, count) => {
    const place = { level, n: Math.floor(from / TILE_WIDTH) }
    const name = nameOf(place)
    const tile = tiles.get(name) ?? read(place)
    tiles.set(name, tile)
    const start = (from % TILE_WIDTH) * HASH_LENGTH
    return (await tile).subarray(start, start + count * HASH_LENGTH)
  }
}
