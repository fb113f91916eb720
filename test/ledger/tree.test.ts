import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { leafHash } from '#ledger/entry.ts'
import {
  consistencyProof,
  emptyRoot,
  filledTiles,
  fromTiles,
  HASH_LENGTH,
  inclusionProof,
  nodeHash,
  perfectRoot,
  provesConsistency,
  provesInclusion,
  type ReadHashes,
  rootOf,
  TILE_WIDTH,
} from '#ledger/tree.ts'
import { describeVectors } from '../vectors.ts'

const leaves = Array.from({ length: 70_000 }, (_, i) => leafHash(String(i)))

/** MTH of RFC 6962 section 2.1, written as it stands there. */
function mth(part: readonly Uint8Array[]): Uint8Array {
  const [only] = part
  if (only === undefined) return emptyRoot
  if (part.length === 1) return only
  let k = 1
  while (k * 2 < part.length) k *= 2
  return nodeHash(mth(part.slice(0, k)), mth(part.slice(k)))
}

const inMemory: ReadHashes = async nodes =>
  nodes.map(({ level, index }) => mth(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)))

/** Tiles as a store keeps them: the full ones by their place; of the rest the leaves, and the roots of the tiles below. */
function tiled(size: number): ReadHashes {
  const full = new Map<string, Uint8Array>()
  const hashesAt = (level: number, from: number, count: number): Uint8Array => {
    expect(Math.floor(from / TILE_WIDTH)).toBe(Math.floor((from + count - 1) / TILE_WIDTH))
    const tile = full.get(`${level}/${Math.floor(from / TILE_WIDTH)}`)
    const start = (from % TILE_WIDTH) * HASH_LENGTH
    if (tile !== undefined) return tile.subarray(start, start + count * HASH_LENGTH)
    if (level === 0) return Buffer.concat(leaves.slice(from, from + count))
    const below = Array.from({ length: count }, (_, i) => full.get(`${level - 1}/${from + i}`))
    return Buffer.concat(below.map(each => perfectRoot(each ?? new Uint8Array())))
  }
  for (const { level, n } of filledTiles(0, size)) {
    full.set(`${level}/${n}`, hashesAt(level, n * TILE_WIDTH, TILE_WIDTH))
  }
  return fromTiles(async (level, from, count) => hashesAt(level, from, count))
}

describe('a Merkle tree', () => {
  it('has the roots that RFC 6962 defines', async () => {
    for (const size of [0, 1, 2, 3, 4, 5, 7, 8, 9, 100, 255, 256, 257, 1000]) {
      expect(await rootOf(size, inMemory)).toEqual(mth(leaves.slice(0, size)))
    }
  })

  it('proves every leaf of every size, and no other at its place', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 600 }), fc.nat(), fc.nat(), async (size, a, b) => {
        const [index, other] = [a % size, b % size]
        const tree = { start: 0, end: size, root: await rootOf(size, inMemory) }
        const proof = await inclusionProof(index, size, inMemory)
        const leaf = leaves[index] ?? emptyRoot
        expect(provesInclusion(leaf, index, tree, proof)).toBe(true)
        if (other !== index) expect(provesInclusion(leaf, other, tree, proof)).toBe(false)
      }),
    )
  })

  it('proves of every two sizes that one grew into the other', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 600 }), fc.nat(), async (to, a) => {
        const from = 1 + (a % to)
        const part = { start: 0, end: from, root: await rootOf(from, inMemory) }
        const tree = { size: to, root: await rootOf(to, inMemory) }
        expect(provesConsistency(part, tree, await consistencyProof(from, to, inMemory))).toBe(true)
      }),
    )
  })

  it('proves nothing once any byte of proof, leaf or root is another', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 600 }), fc.nat(), fc.nat(), fc.nat(), async (size, a, b, c) => {
        const index = a % size
        const leaf = leaves[index] ?? emptyRoot
        const root = await rootOf(size, inMemory)
        const proof = await inclusionProof(index, size, inMemory)
        const from = 1 + (a % (size - 1))
        const earlier = await rootOf(from, inMemory)
        const grown = await consistencyProof(from, size, inMemory)
        const bent = (bytes: readonly Uint8Array[]) => {
          const copies = bytes.map(each => Uint8Array.from(each))
          const one = copies[b % copies.length]
          if (one !== undefined) one[c % HASH_LENGTH] = (one[c % HASH_LENGTH] ?? 0) ^ (1 + (c % 255))
          return copies
        }
        const [wrongLeaf = leaf, wrongRoot = root, ...wrongProof] = bent([leaf, root, ...proof])
        expect(provesInclusion(wrongLeaf, index, { start: 0, end: size, root: wrongRoot }, wrongProof)).toBe(false)
        const [wrongEarlier = root, wrongLater = root, ...wrongGrown] = bent([earlier, root, ...grown])
        const part = { start: 0, end: from, root: wrongEarlier }
        expect(provesConsistency(part, { size, root: wrongLater }, wrongGrown)).toBe(false)
      }),
    )
  })

  it('has no proof of what it does not hold', async () => {
    await expect(inclusionProof(8, 8, inMemory)).rejects.toThrow(RangeError)
    await expect(inclusionProof(-1, 8, inMemory)).rejects.toThrow(RangeError)
    await expect(inclusionProof(0, 2 ** 60, inMemory)).rejects.toThrow(RangeError)
    await expect(consistencyProof(9, 8, inMemory)).rejects.toThrow(RangeError)
    await expect(consistencyProof(1.5, 8, inMemory)).rejects.toThrow(RangeError)
    expect(await consistencyProof(0, 8, inMemory)).toEqual([])
  })

  it('is the same tree when it is read from tiles', async () => {
    for (const size of [1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000]) {
      const read = tiled(size)
      expect(await rootOf(size, read)).toEqual(mth(leaves.slice(0, size)))
      for (const index of [0, size >> 1, size - 1]) {
        const tree = { start: 0, end: size, root: await rootOf(size, read) }
        expect(provesInclusion(leaves[index] ?? emptyRoot, index, tree, await inclusionProof(index, size, read))).toBe(
          true,
        )
      }
      for (const from of [1, 1 + (size >> 1), size]) {
        const part = { start: 0, end: from, root: await rootOf(from, read) }
        const tree = { size, root: await rootOf(size, read) }
        expect(provesConsistency(part, tree, await consistencyProof(from, size, read))).toBe(true)
      }
    }
  })

  it('fills the tiles that C2SP tlog-tiles names for a tree of 70,000', () => {
    const tiles = filledTiles(0, 70_000)
    expect(tiles.filter(({ level }) => level === 0)).toHaveLength(273)
    expect(tiles.filter(({ level }) => level > 0)).toEqual([{ level: 1, n: 0 }])
  })

  it('fills each tile once, however it grows', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 70_000 }), { maxLength: 6 }), sizes => {
        const steps = [0, ...sizes.toSorted((a, b) => a - b)]
        const grown = steps.slice(1).flatMap((to, i) => filledTiles(steps[i] ?? 0, to))
        const names = grown.map(({ level, n }) => `${level}/${n}`)
        expect(names.toSorted()).toEqual(
          filledTiles(0, steps.at(-1) ?? 0)
            .map(({ level, n }) => `${level}/${n}`)
            .toSorted(),
        )
      }),
    )
  })

  it('takes bytes of a wrong length for no hash', () => {
    const root = leafHash('0')
    expect(provesInclusion(randomBytes(31), 0, { start: 0, end: 1, root: randomBytes(31) }, [])).toBe(false)
    expect(() => perfectRoot(randomBytes(96))).toThrow(RangeError)
    expect(provesInclusion(root, 0, { start: 0, end: 2, root }, [randomBytes(31)])).toBe(false)
  })
})

type Vector = {
  readonly leafIdx: number
  readonly treeSize?: number
  readonly leafHash: string
  readonly root: string
  readonly start?: number
  readonly end?: number
  readonly size1?: number
  readonly size2?: number
  readonly size?: number
  readonly root1: string
  readonly root2: string
  readonly proof: readonly string[] | null
  readonly wantErr: boolean
}

describeVectors('merkle-rfc6962/testdata', 'published Merkle proofs', folder => {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.json'))
  const bytes = (text: string) => Buffer.from(text, 'base64')
  const holds = (file: string, vector: Vector): boolean => {
    const proof = (vector.proof ?? []).map(bytes)
    const { start = 0, end = vector.treeSize ?? 0 } = vector
    if (/^(subtree)?inclusion/.test(file)) {
      return provesInclusion(bytes(vector.leafHash), vector.leafIdx, { start, end, root: bytes(vector.root) }, proof)
    }
    const part = { start, end: vector.end ?? vector.size1 ?? 0, root: bytes(vector.root1) }
    // A proof from an empty tree says nothing; of an empty part of a tree the draft lets it say that it is empty.
    if (/^consistency/.test(file) && part.end === 0) return false
    return provesConsistency(part, { size: vector.size ?? vector.size2 ?? 0, root: bytes(vector.root2) }, proof)
  }

  it('are 518', () => expect(files).toHaveLength(518))

  it.each(files)('%s comes out as stated', file => {
    const vector: Vector = JSON.parse(readFileSync(join(folder, file), 'utf8'))
    expect(holds(file, vector)).toBe(!vector.wantErr)
  })
})
