/** DER as a test writes it: hex, with blanks where they help the eye. */
import { elementsOf } from '#trust/der.ts'

export const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))

export function first(hex: string) {
  const [one] = elementsOf(bytes(hex))
  if (one === undefined) throw new RangeError('nothing')
  return one
}
