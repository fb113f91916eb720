/**
 * A segment says of so many entries of a ledger, one after the other, which may have a term or be of a time; never too few.
 *
 * It is made of the entries alone, so whoever makes it makes the same, and it never changes. Like a chunk of a roaring
 * bitmap (arXiv:1603.06549) it spans 65,536 entries, each named by two bytes. A term that many of them have is a block of its
 * own: a list, or a bitmap where that is shorter. All other terms, most of them subjects, share 1024 blocks by their
 * fingerprints. A look-up of one term so reads one block, and two fingerprints that are the same by chance cost a look at an
 * entry in vain. Of free texts it keeps which three characters stand somewhere in which sixteenth of it, so that a part of
 * a text is looked for only where it may be.
 */
import type { Term } from './search.ts'

export const SIZE = 65_536
const WORDS = SIZE / 32
const BITMAP = SIZE / 8
/** A term of so many entries has a block of its own, unless so many are more common. */
const OWN = 512
const COMMON = 3000
const BUCKETS = 1024
/** Bytes of a posting in a shared block: its fingerprint, its entry. */
const POSTING = 6
/** Entries of which the earliest and the latest instant are kept together: two words of a bitmap. */
const STEP = 64
/** Entries of which the characters of their texts are kept together; there are sixteen such parts, a bit for each. */
const PART = SIZE / 16
const GRAMS = 65_536

/** One bit for each entry of a segment. */
export type Bits = Uint32Array

/** A segment that is being made, or one that was kept. */
export type Segment = {
  /** Sets the bits of the entries that may have the term; gives whether there are any. */
  mark(term: Term, bits: Bits): boolean
  /** Epoch milliseconds of the earliest and the latest of every 64 entries, in turn. */
  times(): Float64Array
  /** The sixteenths in which an entry's text may have this part, as bits. */
  parts(part: string): number
  /** The earliest and the latest of all. */
  readonly span: readonly [earliest: number, latest: number]
}

export type Draft = Segment & {
  readonly size: number
  /** Adds the next entry, of this instant in epoch milliseconds; NaN for what is none, and is found by no time. */
  add(at: number, terms: readonly Term[], text?: string): void
  /** The blocks of a segment that is whole, by their number. */
  blocks(): ReadonlyMap<number, Uint8Array>
}

const TIMES = BUCKETS
const TEXTS = BUCKETS + 1
const OWNERS = TEXTS + 16

/** FNV-1a, 32 bits, of UTF-16 code units. */
function fingerprint(term: Term): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < term.length; i += 1) hash = Math.imul(hash ^ term.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** Each three characters of a text as a number, below 65,536; of two characters there are none. */
function gramsOf(text: string): number[] {
  const grams: number[] = []
  for (let i = 0; i + 2 < text.length; i += 1) {
    let hash = Math.imul(text.charCodeAt(i), 0x9e3779b1) ^ Math.imul(text.charCodeAt(i + 1), 0x85ebca77)
    hash = Math.imul(hash ^ text.charCodeAt(i + 2), 0xc2b2ae3d)
    grams.push(hash >>> 16)
  }
  return grams
}

function set(bits: Bits, place: number): void {
  bits[place >>> 5] = (bits[place >>> 5] ?? 0) | (1 << (place & 31))
}

/** Begins a segment. */
export function draft(): Draft {
  let prints = new Uint32Array(1024)
  let places = new Uint16Array(1024)
  let count = 0
  let size = 0
  const times = new Float64Array((2 * SIZE) / STEP)
  for (let i = 0; i < times.length; i += 2) times.set([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], i)
  const texts = new Uint16Array(GRAMS)
  const span: [number, number] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]

  function widen(of: Float64Array | number[], i: number, at: number): void {
    of[i] = Math.min(of[i] ?? at, at)
    of[i + 1] = Math.max(of[i + 1] ?? at, at)
  }

  return {
    get size() {
      return size
    },
    span,
    times: () => times,

    add: (at, terms, text = '') => {
      if (!Number.isNaN(at)) {
        widen(times, 2 * Math.floor(size / STEP), at)
        widen(span, 0, at)
      }
      for (const term of terms) {
        if (count === prints.length) {
          const [fewer, less] = [prints, places]
          prints = new Uint32Array(2 * count)
          places = new Uint16Array(2 * count)
          prints.set(fewer)
          places.set(less)
        }
        prints[count] = fingerprint(term)
        places[count] = size
        count += 1
      }
      const part = 1 << Math.floor(size / PART)
      for (const gram of gramsOf(text)) texts[gram] = (texts[gram] ?? 0) | part
      size += 1
    },

    parts: part => gramsOf(part).reduce((among, gram) => among & (texts[gram] ?? 0), 0xffff),

    mark: (term, bits) => {
      const print = fingerprint(term)
      let any = false
      for (let i = 0; i < count; i += 1) {
        if (prints[i] !== print) continue
        set(bits, places[i] ?? 0)
        any = true
      }
      return any
    },

    blocks: () => {
      // One number for both, so that the engine's own sorting of numbers puts all postings of a term together, in order.
      const postings = Float64Array.from({ length: count }, (_, i) => (prints[i] ?? 0) * SIZE + (places[i] ?? 0)).sort()
      const shared: number[][] = Array.from({ length: BUCKETS }, () => [])
      const owners: number[] = []
      const blocks = new Map<number, Uint8Array>()
      const runs = runsOf(postings)
      const common = new Set(runs.filter(isCommon).sort(byLength).slice(0, COMMON))
      for (const run of runs) {
        const print = Math.floor((run[0] ?? 0) / SIZE)
        if (common.has(run)) {
          blocks.set(OWNERS + 1 + owners.length, listOrBitmap(run))
          owners.push(print)
        } else for (const posting of run) shared[print >>> 22]?.push(posting)
      }
      for (const [i, bucket] of shared.entries()) blocks.set(i, pack(bucket))
      blocks.set(TIMES, bytesOf(times))
      for (let i = 0; i < 16; i += 1) {
        blocks.set(TEXTS + i, bytesOf(texts.subarray((i * GRAMS) / 16, ((i + 1) * GRAMS) / 16)))
      }
      blocks.set(OWNERS, bytesOf(Float64Array.of(...span, ...owners)))
      return blocks
    },
  }
}

/** The postings of each term, of sorted postings. */
function runsOf(postings: Float64Array): Float64Array[] {
  const runs: Float64Array[] = []
  for (let start = 0, end = 0; start < postings.length; start = end) {
    const next = (Math.floor((postings[start] ?? 0) / SIZE) + 1) * SIZE
    for (end = start + 1; end < postings.length && (postings[end] ?? 0) < next; ) end += 1
    runs.push(postings.subarray(start, end))
  }
  return runs
}

function isCommon({ length }: Float64Array): boolean {
  return length >= OWN
}

function byLength(one: Float64Array, other: Float64Array): number {
  return other.length - one.length
}

function listOrBitmap(postings: Float64Array): Uint8Array {
  const places = Uint16Array.from(postings, posting => posting % SIZE)
  if (places.byteLength < BITMAP) return bytesOf(places)
  const bits = new Uint32Array(WORDS)
  for (const place of places) set(bits, place)
  return bytesOf(bits)
}

function pack(postings: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(postings.length * POSTING))
  for (const [i, posting] of postings.entries()) {
    view.setUint32(i * POSTING, Math.floor(posting / SIZE))
    view.setUint16(i * POSTING + 4, posting % SIZE)
  }
  return bytesOf(view)
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView<ArrayBuffer>): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/**
 * A segment of which `read` gives the blocks; what it gives, or throws, is for it to answer for. The numbers in them are in
 * the byte order of the machine that made them.
 */
export function kept(read: (block: number) => Uint8Array): Segment {
  const numbers = (block: number) => new Float64Array(aligned(read(block)))
  const [earliest = Number.NEGATIVE_INFINITY, latest = Number.POSITIVE_INFINITY, ...owners] = numbers(OWNERS)
  const own = Uint32Array.from(owners)
  return {
    span: [earliest, latest],
    times: () => numbers(TIMES),
    parts: part => {
      let among = 0xffff
      for (const gram of gramsOf(part)) {
        if (among === 0) break
        among &= new Uint16Array(aligned(read(TEXTS + Math.floor((gram * 16) / GRAMS))))[gram % (GRAMS / 16)] ?? 0
      }
      return among
    },
    mark: (term, bits) => {
      const print = fingerprint(term)
      const owner = own.indexOf(print)
      if (owner === -1) return unpack(read(print >>> 22), print, bits)
      const block = read(OWNERS + 1 + owner)
      if (block.byteLength < BITMAP) for (const place of new Uint16Array(aligned(block))) set(bits, place)
      else {
        const all = new Uint32Array(aligned(block))
        for (let i = 0; i < WORDS; i += 1) bits[i] = (bits[i] ?? 0) | (all[i] ?? 0)
      }
      return true
    },
  }
}

function aligned(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}

function unpack(bytes: Uint8Array, print: number, bits: Bits): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let any = false
  for (let at = 0; at < view.byteLength; at += POSTING) {
    if (view.getUint32(at) !== print) continue
    set(bits, view.getUint16(at + 4))
    any = true
  }
  return any
}

/**
 * The entries of a segment that may have one term of each list, be of a time, `from` included, `until` not, in epoch
 * milliseconds, and have a part in their text; undefined when there is none.
 */
export function candidates(
  segment: Segment,
  asked: readonly (readonly Term[])[],
  from: number,
  until: number,
  part = '',
): Bits | undefined {
  const [earliest, latest] = segment.span
  if (latest < from || earliest >= until) return undefined
  const among = segment.parts(part)
  if (among === 0) return undefined
  let found: Bits | undefined
  for (const terms of asked) {
    const having = new Uint32Array(WORDS)
    let any = false
    for (const term of terms) any = segment.mark(term, having) || any
    if (!any) return undefined
    if (found !== undefined) for (let i = 0; i < WORDS; i += 1) having[i] = (having[i] ?? 0) & (found[i] ?? 0)
    found = having
  }
  found ??= new Uint32Array(WORDS).fill(0xffffffff)
  for (let i = 0; i < 16; i += 1) if ((among & (1 << i)) === 0) found.fill(0, (i * PART) / 32, ((i + 1) * PART) / 32)
  if (earliest < from || latest >= until) {
    const times = segment.times()
    for (let i = 0; i < times.length; i += 2) {
      if ((times[i + 1] ?? 0) < from || (times[i] ?? 0) >= until) found.fill(0, i, i + 2)
    }
  }
  return found
}

/** The places whose bits are set, below `top`, the last first. */
export function* places(bits: Bits, top: number): Generator<number> {
  for (let i = Math.min(WORDS, Math.ceil(top / 32)) - 1; i >= 0; i -= 1) {
    let word = bits[i] ?? 0
    while (word !== 0) {
      const bit = 31 - Math.clz32(word)
      word &= ~(1 << bit)
      const place = i * 32 + bit
      if (place < top) yield place
    }
  }
}
