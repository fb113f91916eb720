/** Reads DER (X.690) and nothing else: one encoding for one value, so that what is checked is exactly what was signed. */

/** The bytes are not what their format allows. Which bytes, the message says; nothing else may be concluded. */
export class Malformed extends Error {
  override readonly name = 'Malformed'
}

export type Element = {
  readonly tag: number
  readonly content: Uint8Array
  /** Tag, length and content. */
  readonly whole: Uint8Array
}

export const BOOLEAN = 0x01
export const INTEGER = 0x02
export const BIT_STRING = 0x03
export const OCTET_STRING = 0x04
export const OID = 0x06
export const SEQUENCE = 0x30
export const SET = 0x31
const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18

/** Context tags: `[n]` over a primitive, and over a constructed value. */
export const primitive = (n: number) => 0x80 | n
export const constructed = (n: number) => 0xa0 | n

function elementAt(bytes: Uint8Array, start: number): Element {
  const tag = bytes[start]
  const first = bytes[start + 1]
  if (tag === undefined || first === undefined) throw new Malformed('truncated element')
  if ((tag & 0x1f) === 0x1f) throw new Malformed('tag number above 30')
  const sizeBytes = first < 0x80 ? 0 : first & 0x7f
  // Three length bytes hold 16 MiB, more than any certificate or CRL taken here.
  if (first === 0x80 || sizeBytes > 3) throw new Malformed('indefinite or oversized length')
  let size = sizeBytes === 0 ? first : 0
  for (let i = 0; i < sizeBytes; i++) size = (size << 8) | (bytes[start + 2 + i] ?? 0)
  const minimal = sizeBytes === 0 || size >= (sizeBytes === 1 ? 0x80 : 1 << (8 * (sizeBytes - 1)))
  if (!minimal) throw new Malformed('length not in its shortest form')
  const from = start + 2 + sizeBytes
  if (from + size > bytes.length) throw new Malformed('truncated element')
  return { tag, content: bytes.subarray(from, from + size), whole: bytes.subarray(start, from + size) }
}

/** The elements that fill the bytes, to the last byte. */
export function elementsOf(bytes: Uint8Array): readonly Element[] {
  const elements: Element[] = []
  for (let at = 0; at < bytes.length; ) {
    const element = elementAt(bytes, at)
    elements.push(element)
    at += element.whole.length
  }
  return elements
}

/** The one element that fills the bytes. */
export function onlyElement(bytes: Uint8Array, tag: number): Element {
  const element = elementAt(bytes, 0)
  if (element.whole.length !== bytes.length) throw new Malformed('trailing bytes')
  return tagged(element, tag)
}

export function tagged(element: Element, tag: number): Element {
  if (element.tag !== tag) throw new Malformed(`tag ${element.tag} where ${tag} belongs`)
  return element
}

/** Takes the fields of a SEQUENCE in their order; `end` proves that none is left. */
export class Fields {
  readonly #elements: readonly Element[]
  #next = 0

  constructor(sequence: Element) {
    this.#elements = elementsOf(sequence.content)
  }

  static of(bytes: Uint8Array): Fields {
    return new Fields(onlyElement(bytes, SEQUENCE))
  }

  take(tag: number): Element {
    const element = this.#elements[this.#next++]
    if (element === undefined) throw new Malformed('missing field')
    return tagged(element, tag)
  }

  maybe(...tags: readonly number[]): Element | undefined {
    const element = this.#elements[this.#next]
    if (element === undefined || !tags.includes(element.tag)) return undefined
    this.#next++
    return element
  }

  takeTime(): Date {
    const element = this.maybe(UTC_TIME, GENERALIZED_TIME)
    if (element === undefined) throw new Malformed('missing time')
    return time(element)
  }

  maybeTime(): Date | undefined {
    const element = this.maybe(UTC_TIME, GENERALIZED_TIME)
    return element && time(element)
  }

  end(): void {
    if (this.#next < this.#elements.length) throw new Malformed('unknown field')
  }
}

/** BOOLEAN, where RFC 5280 gives it the default FALSE. An encoded default is tolerated: certificates in use have it. */
export function boolean(element: Element | undefined): boolean {
  if (element === undefined) return false
  const [value] = element.content
  if (element.content.length !== 1 || (value !== 0 && value !== 0xff)) throw new Malformed('boolean')
  return value === 0xff
}

/** The two's complement bytes of an INTEGER, in their shortest form. */
export function integer({ content }: Element): Uint8Array {
  const [first, second = 0] = content
  if (first === undefined) throw new Malformed('empty integer')
  const padded = content.length > 1 && (first === 0 ? second < 0x80 : first === 0xff && second >= 0x80)
  if (padded) throw new Malformed('integer not in its shortest form')
  return content
}

export function natural(element: Element): bigint {
  const bytes = integer(element)
  if ((bytes[0] ?? 0) >= 0x80) throw new Malformed('negative integer')
  return BigInt(`0x${hex(bytes)}`)
}

/** Bits by their number (bit 0 first); DER forbids trailing zero bits in a named bit list. */
export function namedBits(element: Element): ReadonlySet<number> {
  const bytes = bitString(element, 7)
  const unused = element.content[0] ?? 0
  const last = bytes.at(-1)
  if (bytes.length > 4) throw new Malformed('more named bits than any list has')
  if (last !== undefined && ((last >> unused) & 1) === 0) throw new Malformed('named bits end in zero')
  const set = new Set<number>()
  for (let bit = 0; bit < bytes.length * 8; bit++) if (((bytes[bit >> 3] ?? 0) << (bit & 7)) & 0x80) set.add(bit)
  return set
}

/** The bytes of a BIT STRING with at most `spare` unused bits, all zero. */
export function bitString({ content }: Element, spare = 0): Uint8Array {
  const unused = content[0]
  const bytes = content.subarray(1)
  if (unused === undefined || unused > spare || (bytes.length === 0 && unused > 0)) throw new Malformed('bit string')
  if ((bytes.at(-1) ?? 0) & ((1 << unused) - 1)) throw new Malformed('unused bits not zero')
  return bytes
}

/** Dotted form; arcs of any size, because the federation's own purpose is a UUID under 2.25 (X.667). */
export function oid({ content }: Element): string {
  if (content.length > 64) throw new Malformed('object identifier longer than 64 bytes')
  const arcs: bigint[] = []
  let arc = 0n
  let fresh = true
  for (const byte of content) {
    if (fresh && byte === 0x80) throw new Malformed('object identifier not in its shortest form')
    arc = (arc << 7n) | BigInt(byte & 0x7f)
    fresh = byte < 0x80
    if (!fresh) continue
    arcs.push(arc)
    arc = 0n
  }
  const [first, ...rest] = arcs
  if (first === undefined || !fresh) throw new Malformed('object identifier')
  const root = first < 80n ? first / 40n : 2n
  return [root, first - root * 40n, ...rest].join('.')
}

/** RFC 5280 section 4.1.2.5: seconds, Zulu, UTCTime through 2049 and GeneralizedTime from 2050. */
function time({ tag, content }: Element): Date {
  const text = ascii(content)
  const [, year = '', month = '', day = '', hour = '', minute = '', second = ''] =
    /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text) ?? []
  const full = year.length === 2 ? `${Number(year) < 50 ? '20' : '19'}${year}` : year
  const iso = `${full}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const date = new Date(iso)
  // A day such as 31 February rolls over instead of failing.
  if (Number.isNaN(date.getTime()) || date.toISOString() !== iso) throw new Malformed('time')
  if ((tag === UTC_TIME) !== (year.length === 2) || (tag === GENERALIZED_TIME) !== Number(full) >= 2050) {
    throw new Malformed('time in the wrong form for its year')
  }
  return date
}

export function ascii(bytes: Uint8Array): string {
  if (bytes.some(byte => byte > 0x7f)) throw new Malformed('text is not ASCII')
  return Buffer.from(bytes).toString('latin1')
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
