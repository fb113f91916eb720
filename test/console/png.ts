/** A picture of a screen in few colours takes a third of the bytes and looks the same: PNG (ISO/IEC 15948) in, PNG with a palette out. */
import { crc32, deflateSync, inflateSync } from 'node:zlib'

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

/** Takes a picture of 8 bits a channel that is not interlaced, as Chromium writes it; its transparency is let go. */
export function withPalette(png: Buffer, most = 128): Buffer {
  const { width, height, channels, lines } = unpacked(png)
  const seen = new Map<number, number>()
  const exact = new Map<number, number>()
  const colours = new Uint32Array(width * height)
  for (let i = 0; i < colours.length; i++) {
    const at = i * channels
    // Edges of letters differ by less than anybody sees; of those that are as good as one, the first stands for all.
    const whole = ((lines[at] ?? 0) << 16) | ((lines[at + 1] ?? 0) << 8) | (lines[at + 2] ?? 0)
    const colour = exact.get(whole & 0xfcfcfc) ?? whole
    exact.set(whole & 0xfcfcfc, colour)
    colours[i] = colour
    seen.set(colour, (seen.get(colour) ?? 0) + 1)
  }
  const palette = [...seen]
    .sort(([, a], [, b]) => b - a)
    .slice(0, most)
    .map(([colour]) => colour)
  const index = new Map(palette.map((colour, i) => [colour, i]))
  const rows = Buffer.alloc(height * (width + 1))
  for (let i = 0; i < colours.length; i++) {
    const colour = colours[i] ?? 0
    let known = index.get(colour)
    if (known === undefined) {
      known = nearest(colour, palette)
      index.set(colour, known)
    }
    rows[Math.floor(i / width) * (width + 1) + 1 + (i % width)] = known
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 3, 0, 0, 0], 8)
  const table = Buffer.from(palette.flatMap(colour => [colour >> 16, (colour >> 8) & 255, colour & 255]))
  const parts = [
    chunk('IHDR', header),
    chunk('PLTE', table),
    chunk('IDAT', deflateSync(rows, { level: 9, memLevel: 9 })),
  ]
  return Buffer.concat([SIGNATURE, ...parts, chunk('IEND', Buffer.alloc(0))])
}

function nearest(colour: number, palette: readonly number[]): number {
  let best = 0
  let least = Number.POSITIVE_INFINITY
  for (const [i, other] of palette.entries()) {
    const [r, g, b] = [
      (colour >> 16) - (other >> 16),
      ((colour >> 8) & 255) - ((other >> 8) & 255),
      (colour & 255) - (other & 255),
    ]
    const distance = r * r + g * g + b * b
    if (distance < least) [least, best] = [distance, i]
  }
  return best
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const whole = Buffer.alloc(body.length + 8)
  whole.writeUInt32BE(data.length, 0)
  whole.set(body, 4)
  whole.writeUInt32BE(crc32(body), body.length + 4)
  return whole
}

/** The samples line by line, with the filters of section 9 undone. */
function unpacked(png: Buffer) {
  const width = png.readUInt32BE(16)
  const height = png.readUInt32BE(20)
  const channels = png[25] === 6 ? 4 : 3
  const data: Buffer[] = []
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at)
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') data.push(png.subarray(at + 8, at + 8 + length))
    at += length + 12
  }
  const raw = inflateSync(Buffer.concat(data))
  const stride = width * channels
  const lines = Buffer.alloc(height * stride)
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)] ?? 0
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x
      const left = x < channels ? 0 : (lines[at - channels] ?? 0)
      const up = y === 0 ? 0 : (lines[at - stride] ?? 0)
      const corner = x < channels || y === 0 ? 0 : (lines[at - stride - channels] ?? 0)
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter] ?? 0
      lines[at] = (raw[y * (stride + 1) + 1 + x] ?? 0) + guess
    }
  }
  return { width, height, channels, lines }
}

function paeth(left: number, up: number, corner: number): number {
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)]
  if (a <= b && a <= c) return left
  return b <= c ? up : corner
}
