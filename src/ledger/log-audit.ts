/** A log that is kept somewhere is made once more from its entries, and whatever of it is not what comes out is named. */
import { readCheckpoint, readNote } from './checkpoint.ts'
import type { LogStore } from './log.ts'
import { emptyRoot, fromTiles, HASH_LENGTH, perfectRoot, rootOf, TILE_WIDTH, type TilePlace } from './tree.ts'

/**
 * - `tile-missing`: a full tile of the tree that the last checkpoint says is not there.
 * - `tile-changed`: a tile, or the root beside it, is not that of the entries.
 * - `checkpoint-broken`: a checkpoint is unreadable, of more than there is, or of another root than that of the entries.
 */
export type LogFault = {
  readonly name: 'tile-missing' | 'tile-changed' | 'checkpoint-broken'
  /** The first entry under the tile, or the size of the checkpoint. */
  readonly index: number
  readonly detail: string
}

/** Checkpoints looked at; what is older follows from their consistency. */
const CHECKPOINTS = 1_000

/**
 * Makes the tree from the entries and holds tiles and checkpoints against it. Signatures are for who has the log's key. Memory
 * grows by 32 bytes for 256 entries. Rejects with `ledger.unavailable` where something cannot be read.
 */
export async function* auditLog(store: LogStore): AsyncGenerator<LogFault> {
  const kept = await store.checkpoints(CHECKPOINTS)
  const size = kept[0]?.size ?? 0
  const count = await store.count()
  /** By level: the roots of its full tiles, as they come out of the entries. */
  const made: Uint8Array[][] = []
  let width = TILE_WIDTH
  for (let level = 0; width <= Math.min(size, count); level += 1, width *= TILE_WIDTH) {
    const roots: Uint8Array[] = []
    made.push(roots)
    for (let n = 0; n < Math.floor(Math.min(size, count) / width); n += 1) {
      const from = n * TILE_WIDTH
      const hashes =
        level === 0
          ? await store.leaves(from, TILE_WIDTH)
          : Buffer.concat(made[level - 1]?.slice(from, from + TILE_WIDTH) ?? [])
      // Where entries are missing there is nothing to compare; that is for whoever walks the entries to say.
      if (hashes.length !== TILE_WIDTH * HASH_LENGTH) return
      const root = perfectRoot(hashes)
      roots.push(root)
      yield* compared(store, { level, n }, hashes, root, n * width)
    }
  }
  const read = fromTiles(async (level, from, count) =>
    level === 0 ? store.leaves(from, count) : Buffer.concat(made[level - 1]?.slice(from, from + count) ?? []),
  )
  for (const { size: there, note } of kept) {
    const text = readNote(note)?.text
    const said = text === undefined ? undefined : readCheckpoint(text)
    const fault = (detail: string): LogFault => ({ name: 'checkpoint-broken', index: there, detail })
    if (said === undefined || said.size !== there) yield fault('it is not a checkpoint of the size that it stands for')
    else if (there > count) yield fault(`it is of ${there} entries, and there are ${count}`)
    else if (Buffer.compare(there === 0 ? emptyRoot : await rootOf(there, read), said.root) !== 0)
      yield fault('its root is not that of the entries')
  }
}

async function* compared(
  store: LogStore,
  place: TilePlace,
  hashes: Uint8Array,
  root: Uint8Array,
  index: number,
): AsyncGenerator<LogFault> {
  const name = `${place.level}/${place.n}`
  const tile = await store.tile(place)
  if (tile === undefined) {
    yield { name: 'tile-missing', index, detail: `tile ${name}` }
    return
  }
  const beside = await store.roots(place.level, place.n, 1)
  if (Buffer.compare(tile, hashes) !== 0 || Buffer.compare(beside, root) !== 0) {
    yield { name: 'tile-changed', index, detail: `tile ${name} is not that of the entries` }
  }
}
