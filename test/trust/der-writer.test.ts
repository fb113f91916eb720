import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fields, integer, natural, OCTET_STRING, OID, oid, onlyElement, SEQUENCE } from '#trust/der.ts'
import { element, identifier, unsigned } from '#trust/der-writer.ts'

describe('what is written as DER', () => {
  it('is read back by a reader that takes one encoding of each value alone', () => {
    const arc = fc.oneof(fc.bigInt(0n, 200n), fc.bigInt(0n, (1n << 128n) - 1n))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(arc, { maxLength: 3 }), (bytes, arcs) => {
        const dotted = ['2', '25', ...arcs].join('.')
        const whole = element(SEQUENCE, element(OCTET_STRING, bytes), unsigned(bytes), identifier(dotted))
        const fields = Fields.of(whole)
        expect(fields.take(OCTET_STRING).content).toEqual(Buffer.from(bytes))
        expect(natural(fields.take(2))).toBe(BigInt(`0x00${Buffer.from(bytes).toString('hex')}`))
        expect(oid(fields.take(OID))).toBe(dotted)
        fields.end()
      }),
    )
  })

  it.each([0, 1, 127, 128, 255, 256, 65_535, 65_536, 70_000])(
    'has its length in the shortest form (%i bytes)',
    size => {
      expect(onlyElement(element(OCTET_STRING, Buffer.alloc(size, 7)), OCTET_STRING).content).toHaveLength(size)
    },
  )

  it.each(['0.0', '1.2.840.113549.1.9.14', '1.2.156.10197.1.301', '2.5.4.3', '2.25.0', '2.999.1'])(
    'is an object identifier in its own encoding: %s',
    dotted => {
      expect(oid(onlyElement(identifier(dotted), OID))).toBe(dotted)
    },
  )

  it.each([
    ['', '00'],
    ['00', '00'],
    ['0000', '00'],
    ['7f', '7f'],
    ['80', '0080'],
    ['0080', '0080'],
    ['00ff00', '00ff00'],
  ])('is a number that is not negative, without bytes to spare: %s', (bytes, content) => {
    expect(Buffer.from(integer(onlyElement(unsigned(Buffer.from(bytes, 'hex')), 2))).toString('hex')).toBe(content)
  })
})
