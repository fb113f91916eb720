/**
 * A Merkle tree says in 32 bytes what a log holds, proves in a few more that it holds an entry and that it only ever grew,
 * and is kept as tiles that never change again.
 *
 * The tree is that of RFC 6962 section 2.1 (the same in RFC 9162 section 2.1.1) over the leaf hashes of the entries. A proof
 * is taken apart by the very recursion that defines it, so that whoever has read the definition has read the program. Both
 * kinds are one: draft-ietf-plants-merkle-tree-certs section 4.4 proves that a subtree is part of a tree; a leaf is the
 * smallest subtree (inclusion), an earlier tree is the leftmost (consistency).
 */
import { hash } from 'node:crypto'

/** The leaves `start` to `end`, the latter not included. */
export type Range = { readonly start: number; readonly end: number }

/** A perfect subtree: the leaves index · 2^level to (index + 1) · 2^level. */
type Node = { readonly level: number; readonly index: number }

/** Gives the hash of each perfect subtree, in the order asked. Whatever keeps a tree is a function of this form. */
export type ReadHashes = (nodes: readonly Node[]) => Promise<readonly Uint8Array[]>

export const HASH_LENGTH = 32

/** RFC 6962 section 2.1: the hash of an empty list is the hash of an empty string. */
export const emptyRoot: Uint8Array = hash('sha256', '', 'buffer')

/** SHA-256(0x01 || left || right) (RFC 6962 section 2.1). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const input = Buffer.allocUnsafe(1 + left.length + right.length)
  input[0] = 0x01
  input.set(left, 1)
  input.set(right, 1 + left.length)
  return hash('sha256', input, 'buffer')
}

/** The root of the tree of the first `size` leaves. */
export async function rootOf(size: number, read: ReadHashes): Promise<Uint8Array> {
  if (size === 0) return emptyRoot
  const [root = emptyRoot] = await hashesOf([{ start: 0, end: size }], read)
  return root
}

/**
 * The inclusion proof PATH(index, D[size]) of RFC 6962 section 2.1.1, from the leaf to the root. Throws RangeError where the
 * tree has no such leaf.
 */
export async function inclusionProof(index: number, size: number, read: ReadHashes): Promise<readonly Uint8Array[]> {
  return subtreeProof({ start: index, end: index + 1 }, size, read)
}

/**
 * The consistency proof PROOF(from, D[to]) of RFC 6962 section 2.1.2; none is needed from an empty tree. Throws RangeError
 * where the second tree is the smaller one.
 */
export async function consistencyProof(from: number, to: number, read: ReadHashes): Promise<readonly Uint8Array[]> {
  if (from === 0 && isSize(to)) return []
  return subtreeProof({ start: 0, end: from }, to, read)
}

async function subtreeProof(part: Range, size: number, read: ReadHashes): Promise<readonly Uint8Array[]> {
  if (!isSize(size) || !isSubtree(part) || part.end > size) throw new RangeError('no such part of the tree')
  return hashesOf(parts(part, { start: 0, end: size }, true), read)
}

/** Whether a proof shows that the leaf stands at `index` in the tree of this size and root. */
export function provesInclusion(
  leaf: Uint8Array,
  index: number,
  tree: Range & { readonly root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  if (leaf.length !== HASH_LENGTH || !isSubtree(tree)) return false
  return proves({ start: index, end: index + 1, root: leaf }, tree, proof)
}

/**
 * Whether a proof shows that the tree of `size` leaves has these leaves as a part of it, at this place: for `start` 0, that
 * an earlier tree only grew. An empty part is part of every tree; of an empty tree nothing is known but its root.
 */
export function provesConsistency(
  part: Range & { readonly root: Uint8Array },
  tree: { readonly size: number; readonly root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  if (part.start === part.end) {
    return isSize(part.start) && part.end <= tree.size && proof.length === 0 && same(part.root, emptyRoot)
  }
  return proves(part, { start: 0, end: tree.size, root: tree.root }, proof)
}

function proves(
  part: Range & { readonly root: Uint8Array },
  tree: Range & { readonly root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  if (!isSubtree(part) || !isSize(tree.end) || part.start < tree.start || part.end > tree.end) return false
  if (proof.length !== parts(part, tree, true).length || proof.some(({ length }) => length !== HASH_LENGTH))
    return false
  const { inner, outer } = rebuild(part, tree, true, part.root, [...proof])
  return same(inner, part.root) && same(outer, tree.root)
}

/** What a proof consists of, as SUBTREE_SUBPROOF of the draft defines it; with `start` 0 that is SUBPROOF, with one leaf PATH. */
function parts(part: Range, tree: Range, isKnown: boolean): Range[] {
  if (part.start === tree.start && part.end === tree.end) return isKnown ? [] : [tree]
  const middle = middleOf(tree)
  const [left, right] = [
    { start: tree.start, end: middle },
    { start: middle, end: tree.end },
  ]
  if (part.end <= middle) return [...parts(part, left, isKnown), right]
  if (part.start >= middle) return [...parts(part, right, isKnown), left]
  return [...parts({ start: middle, end: part.end }, right, false), left]
}

/** The same once more, with the hashes that `parts` names, the outermost last: the root of the part, and that of the tree. */
function rebuild(
  part: Range,
  tree: Range,
  isKnown: boolean,
  root: Uint8Array,
  proof: Uint8Array[],
): { readonly inner: Uint8Array; readonly outer: Uint8Array } {
  if (part.start === tree.start && part.end === tree.end) {
    const found = isKnown ? root : taken(proof)
    return { inner: found, outer: found }
  }
  const middle = middleOf(tree)
  const [left, right] = [
    { start: tree.start, end: middle },
    { start: middle, end: tree.end },
  ]
  const beside = taken(proof)
  if (part.end <= middle) {
    const { inner, outer } = rebuild(part, left, isKnown, root, proof)
    return { inner, outer: nodeHash(outer, beside) }
  }
  if (part.start >= middle) {
    const { inner, outer } = rebuild(part, right, isKnown, root, proof)
    return { inner, outer: nodeHash(beside, outer) }
  }
  const { inner, outer } = rebuild({ start: middle, end: part.end }, right, false, root, proof)
  return { inner: nodeHash(beside, inner), outer: nodeHash(beside, outer) }
}

function taken(proof: Uint8Array[]): Uint8Array {
  const last = proof.pop()
  if (last === undefined) throw new RangeError('the proof is too short')
  return last
}

/** Where RFC 6962 splits a list: behind the largest power of two smaller than its length. */
function middleOf({ start, end }: Range): number {
  return start + ceiling(end - start) / 2
}

/** The smallest power of two that is not less. */
function ceiling(length: number): number {
  let power = 1
  while (power < length) power *= 2
  return power
}

function isSize(number: number): boolean {
  return Number.isSafeInteger(number) && number >= 0
}

/** Section 4.1 of the draft: not empty, and its start is a multiple of the power of two that it fits into. */
function isSubtree({ start, end }: Range): boolean {
  return isSize(start) && isSize(end) && start < end && start % ceiling(end - start) === 0
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}

/** The root of each range, all of them read at once. */
async function hashesOf(ranges: readonly Range[], read: ReadHashes): Promise<readonly Uint8Array[]> {
  const wanted = ranges.map(perfect)
  const found = (await read(wanted.flat())).values()
  return wanted.map(nodes => folded(nodes.map(() => found.next().value ?? emptyRoot)))
}

/** The perfect subtrees of which a range is made, from left to right. */
function perfect({ start, end }: Range): Node[] {
  const nodes: Node[] = []
  for (let at = start; at < end; ) {
    let [level, width] = [0, 1]
    while (at % (2 * width) === 0 && at + 2 * width <= end) [level, width] = [level + 1, 2 * width]
    nodes.push({ level, index: at / width })
    at += width
  }
  return nodes
}

/** The root over hashes of perfect subtrees that fall in size from left to right. */
function folded(hashes: readonly Uint8Array[]): Uint8Array {
  return hashes.reduceRight((right, left) => nodeHash(left, right))
}

/** Hashes in a full tile (C2SP tlog-tiles, “Merkle Tree”): a tile of level l, number n is a perfect subtree of 256^(l+1) leaves. */
export const TILE_WIDTH = 256
const TILE_HEIGHT = 8

/** The tile of a level; in it the roots of the 256 tiles below, or leaf hashes at level 0. */
export type TilePlace = { readonly level: number; readonly n: number }

/** Reads hashes `from` to `from + count` of one level of tiles, which never cross the end of a tile, one behind the other. */
export type ReadTile = (level: number, from: number, count: number) => Promise<Uint8Array>

/** Reads the nodes of a tree that is kept as tiles: each tile once, and of it no more than is needed. */
export function fromTiles(read: ReadTile): ReadHashes {
  return async nodes => {
    const wanted = nodes.map(({ level, index }) => {
      const width = 2 ** (level % TILE_HEIGHT)
      const from = index * width
      return { level: Math.floor(level / TILE_HEIGHT), from, until: from + width }
    })
    const byTile = Map.groupBy(wanted, ({ level, from }) => `${level}/${Math.floor(from / TILE_WIDTH)}`)
    const roots = new Map<object, Uint8Array>()
    await Promise.all(
      byTile.values().map(async here => {
        const [{ level } = { level: 0 }] = here
        const start = Math.min(...here.map(({ from }) => from))
        const bytes = await read(level, start, Math.max(...here.map(({ until }) => until)) - start)
        for (const each of here) {
          const [from, until] = [each.from - start, each.until - start].map(at => at * HASH_LENGTH)
          roots.set(each, perfectRoot(bytes.subarray(from, until)))
        }
      }),
    )
    return wanted.map(each => roots.get(each) ?? emptyRoot)
  }
}

/** The root over 2^n hashes that stand one behind the other. Throws RangeError for another number of them. */
export function perfectRoot(hashes: Uint8Array): Uint8Array {
  const { length } = hashes
  if (length === 0 || length % HASH_LENGTH !== 0 || ceiling(length) !== length)
    throw new RangeError('no perfect subtree')
  if (length === HASH_LENGTH) return hashes
  return nodeHash(perfectRoot(hashes.subarray(0, length / 2)), perfectRoot(hashes.subarray(length / 2)))
}

/** The tiles that become full when a tree grows, a lower level before the one above. */
export function filledTiles(from: number, to: number): TilePlace[] {
  const tiles: TilePlace[] = []
  for (let [level, width] = [0, TILE_WIDTH]; width <= to; [level, width] = [level + 1, width * TILE_WIDTH]) {
    for (let n = Math.floor(from / width); n < Math.floor(to / width); n += 1) tiles.push({ level, n })
  }
  return tiles
}
