/** Writes DER (X.690): the few types that a certificate request is made of, each in its one encoding. */

/** One element of this tag around the bytes, of up to 16 MiB. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents)
  const size = content.length
  const bytes = [size >> 16, (size >> 8) & 0xff, size & 0xff]
  const significant = bytes.slice(bytes.findIndex(byte => byte > 0))
  const length = size < 0x80 ? [size] : [0x80 | significant.length, ...significant]
  return Buffer.concat([Buffer.of(tag, ...length), content])
}

/** An OBJECT IDENTIFIER from its dotted form; arcs of any size (X.667 has some of 128 bits). */
export function identifier(dotted: string): Buffer {
  const [root = 0n, second = 0n, ...rest] = dotted.split('.').map(BigInt)
  return element(0x06, ...[root * 40n + second, ...rest].map(base128))
}

function base128(arc: bigint): Buffer {
  const septets = [Number(arc & 0x7fn)]
  for (let left = arc >> 7n; left > 0n; left >>= 7n) septets.unshift(Number(left & 0x7fn) | 0x80)
  return Buffer.from(septets)
}

/** An INTEGER that is not negative, from its bytes, first byte first. */
export function unsigned(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex(byte => byte > 0)
  const digits = first < 0 ? Buffer.of(0) : bytes.subarray(first)
  return element(0x02, Buffer.of(...((digits[0] ?? 0) < 0x80 ? [] : [0])), digits)
}
