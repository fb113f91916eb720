/** Reading certificates: strict DER and PEM, nothing tolerated at the edges, and no input that crashes or stalls. */
import 'reflect-metadata'
import { Extension } from '@peculiar/x509'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { readCertificate, readCertificates, validatePath } from '#trust/certificate.ts'
import {
  bitString,
  boolean,
  elementsOf,
  Fields,
  integer,
  Malformed,
  namedBits,
  natural,
  oid,
  onlyElement,
  SEQUENCE,
} from '#trust/der.ts'
import { element, fromDer, type Made, makeIssuer, makeLeaf, makeRoot, memberSigning, resign } from '../certificates.ts'
import { bytes, first } from './bytes.ts'

let root: Made
let issuer: Made
let leaf: Made
beforeAll(async () => {
  root = await makeRoot()
  issuer = await makeIssuer({ issuer: root })
  leaf = await makeLeaf({ issuer, purposes: [memberSigning], uri: ['xinqiao://hangzhou.city'] })
})

describe('DER', () => {
  test.each([
    ['an indefinite length', '3080020101 0000'],
    ['a length in two bytes that fits in one', '30820003020101'],
    ['a length in one long byte that fits in the short form', '308103020101'],
    ['a length of four bytes', '308400000003020101'],
    ['a length beyond the end', '3004020101'],
    ['a tag without a length', '30'],
    ['nothing', ''],
    ['a long tag', '1f8101020101'],
    ['a second element behind', '30030201010500'],
    ['another tag', '3103020101'],
  ])('with %s is not one SEQUENCE', (_what, hex) => {
    expect(() => onlyElement(bytes(hex), SEQUENCE)).toThrow(Malformed)
  })

  test('of 128 and of 256 bytes has its length in one and in two long bytes', () => {
    for (const size of [127, 128, 255, 256, 65_535]) {
      const whole =
        size < 256
          ? element(4, new Uint8Array(size))
          : Buffer.concat([bytes('0482'), Buffer.of(size >> 8, size & 255), new Uint8Array(size)])
      expect(onlyElement(whole, 4).content.length).toBe(size)
    }
    expect(onlyElement(Buffer.concat([bytes('0483010000'), new Uint8Array(65_536)]), 4).content.length).toBe(65_536)
    expect(() => onlyElement(Buffer.concat([bytes('048300ffff'), new Uint8Array(65_535)]), 4)).toThrow(Malformed)
  })

  test('has one form of true and one of false', () => {
    expect(boolean(first('0101ff'))).toBe(true)
    expect(boolean(first('010100'))).toBe(false)
    expect(boolean(undefined)).toBe(false)
    for (const hex of ['010101', '0100', '0102ffff']) expect(() => boolean(first(hex))).toThrow(Malformed)
  })

  test('has integers in their shortest form', () => {
    expect([...integer(first('02020080'))]).toEqual([0, 0x80])
    expect([...integer(first('0202ff7f'))]).toEqual([0xff, 0x7f])
    expect(natural(first('0203010000'))).toBe(65_536n)
    for (const hex of ['0200', '0202007f', '0202ff80', '02020000']) expect(() => integer(first(hex))).toThrow(Malformed)
    expect(() => natural(first('020180'))).toThrow(Malformed)
    expect(() => natural(first('0202ff7f'))).toThrow(Malformed)
  })

  test('has named bits without zeros behind', () => {
    expect([...namedBits(first('03020780'))]).toEqual([0])
    expect([...namedBits(first('03020106'))]).toEqual([5, 6])
    expect([...namedBits(first('0303070080'))]).toEqual([8])
    expect([...namedBits(first('030100'))]).toEqual([])
    for (const hex of ['03020080', '03020100', '03020781', '030107', '0300', '03020880', '0306000000000001']) {
      expect(() => namedBits(first(hex))).toThrow(Malformed)
    }
    expect(() => bitString(first('03020780'))).toThrow(Malformed)
  })

  test('has object identifiers of any size of arc, in their shortest form', () => {
    expect(oid(first('0603550406'))).toBe('2.5.4.6')
    expect(oid(first('06062a864886f70d'))).toBe('1.2.840.113549')
    expect(oid(first('060100'))).toBe('0.0')
    expect(oid(first('06014f'))).toBe('1.39')
    expect(oid(first('060150'))).toBe('2.0')
    expect(oid(first('06028837'))).toBe('2.999')
    for (const hex of ['0600', '06028001', '0603558006', '060155 86'.replace(' ', ''), '060186']) {
      expect(() => elementsOf(bytes(hex)).map(oid)).toThrow(Malformed)
    }
    expect(() => oid(onlyElement(element(6, new Uint8Array(65).fill(1)), 6))).toThrow(Malformed)
    expect(readCertificate(leaf.certificate).purposes).toEqual([memberSigning])
  })

  test('has its fields in order, all of them, and none besides', () => {
    const fields = () => Fields.of(bytes('30060201010101ff'))
    expect(() => fields().take(1)).toThrow(Malformed)
    expect(fields().maybe(1)).toBeUndefined()
    const partly = fields()
    partly.take(2)
    expect(() => partly.end()).toThrow(Malformed)
    partly.take(1)
    partly.end()
    expect(() => partly.take(1)).toThrow(Malformed)
  })

  test.each([
    ['171a3236313132323030303030305a'.replace('1a', '0d'), '2026-11-22T00:00:00.000Z'],
    ['170d3530303130313030303030305a', '1950-01-01T00:00:00.000Z'],
    ['170d3439313233313233353935395a', '2049-12-31T23:59:59.000Z'],
    ['180f32303530303130313030303030305a', '2050-01-01T00:00:00.000Z'],
    ['180f39393939313233313233353935395a', '9999-12-31T23:59:59.000Z'],
  ])('has the time %s', (hex, expected) => {
    expect(new Fields(onlyElement(element(SEQUENCE, bytes(hex)), SEQUENCE)).takeTime().toISOString()).toBe(expected)
  })

  const time = (tag: number, text: string) => element(SEQUENCE, element(tag, Buffer.from(text)))
  test.each([
    [0x17, '261122000000+0800'],
    [0x17, '2611220000Z'],
    [0x17, '260231000000Z'],
    [0x17, '261322000000Z'],
    [0x17, '261122240000Z'],
    [0x17, '261122000060Z'],
    [0x17, ' 61122000000Z'],
    [0x17, '20501122000000Z'],
    [0x18, '20261122000000Z'],
    [0x18, '20491231235959Z'],
    [0x18, '20501122000000.5Z'],
    [0x18, '501122000000Z'],
    [0x16, '261122000000Z'],
  ])('has no time of tag %i and text %s', (tag, text) => {
    expect(() => Fields.of(time(tag, text)).takeTime()).toThrow(Malformed)
  })
})

describe('a certificate', () => {
  test('is read from PEM and from DER, to the same digest', () => {
    const [fromPem, fromDer] = [readCertificate(leaf.certificate), readCertificate(leaf.der)]
    expect(fromPem.digest).toBe(fromDer.digest)
    expect(fromPem.digest).toMatch(/^[\w-]{43}$/)
    expect(fromPem).toMatchObject({
      version: 3,
      serial: leaf.serial,
      alternativeNames: [{ form: 'uri', value: 'xinqiao://hangzhou.city' }],
      basicConstraints: { ca: false },
    })
    expect(readCertificate(issuer.der).basicConstraints?.ca).toBe(true)
  })

  test('does not change when the bytes it was read from do', () => {
    const bytes = Uint8Array.from(leaf.der)
    const read = readCertificate(bytes)
    bytes.fill(0)
    expect(read.der).toEqual(leaf.der)
    expect(read.tbs[0]).toBe(SEQUENCE)
  })

  test('comes alone where one is asked for, and in its order where many are', () => {
    expect(readCertificates(leaf.certificate + issuer.certificate).map(each => each.subject.text)).toEqual([
      'CN=Test Leaf',
      'CN=Test Issuing CA',
    ])
    expect(() => readCertificate(leaf.certificate + issuer.certificate)).toThrow(Malformed)
    expect(() => readCertificate('')).toThrow(Malformed)
    expect(readCertificates(' \n')).toEqual([])
  })

  test.each([
    ['a byte behind', (made: Made) => fromDer(made, Buffer.concat([made.der, Buffer.of(0)]))],
    ['a byte less', (made: Made) => fromDer(made, made.der.subarray(0, -1))],
    ['a field less', (made: Made) => resign(made, made, fields => fields.toSpliced(4, 1))],
    ['a field more', (made: Made) => resign(made, made, fields => [...fields, element(0xa4, element(5))])],
    [
      'empty extensions',
      (made: Made) => resign(made, made, fields => fields.with(-1, element(0xa3, element(SEQUENCE)))),
    ],
    ['no key', (made: Made) => resign(made, made, fields => fields.with(6, element(SEQUENCE)))],
  ])('with %s is not read', (_what, change) => {
    const changed = change(leaf)
    expect(() => readCertificate(changed.der)).toThrow(Malformed)
    expect(() => readCertificate(changed.certificate)).toThrow(Malformed)
  })

  const bad: [string, Extension][] = [
    ['key usage without a bit', new Extension('2.5.29.15', true, element(3, Buffer.of(0)))],
    ['no purpose', new Extension('2.5.29.37', false, element(SEQUENCE))],
    ['basic constraints with a field more', new Extension('2.5.29.19', true, element(SEQUENCE, element(5)))],
    [
      'a negative path length',
      new Extension('2.5.29.19', true, element(SEQUENCE, element(1, Buffer.of(255)), element(2, Buffer.of(0x80)))),
    ],
    [
      'half of an issuer and serial number',
      new Extension('2.5.29.35', false, element(SEQUENCE, element(0x82, Buffer.of(1)))),
    ],
    ['empty policy constraints', new Extension('2.5.29.36', true, element(SEQUENCE))],
    ['empty name constraints', new Extension('2.5.29.30', true, element(SEQUENCE))],
    ['an empty list of subtrees', new Extension('2.5.29.30', true, element(SEQUENCE, element(0xa0)))],
  ]
  test.each(bad)('with %s is not read', async (_what, extension) => {
    const slots = {
      '2.5.29.15': 'keyUsage',
      '2.5.29.37': 'extendedKeyUsage',
      '2.5.29.19': 'basicConstraints',
      '2.5.29.35': 'authorityKeyIdentifier',
    } as const
    const slot = Object.entries(slots).find(([id]) => id === extension.type)?.[1]
    const made = await makeLeaf({ issuer, more: [extension], ...(slot && { extensions: { [slot]: false } }) })
    expect(() => readCertificate(made.der)).toThrow(Malformed)
  })

  test('with the same extension twice is not read', async () => {
    const twice = new Extension('1.2.3.4', false, element(5))
    expect(() => readCertificate(fromDer(leaf, leaf.der).der)).not.toThrow()
    const made = await makeLeaf({ issuer, more: [twice, twice] })
    expect(() => readCertificate(made.der)).toThrow(Malformed)
  })

  test('of more than 64 KiB is not read', async () => {
    const large = (size: number) => makeLeaf({ issuer, more: [new Extension('1.2.3.4', false, new Uint8Array(size))] })
    const small = await large(60_000).catch(() => undefined)
    expect(() => readCertificate(new Uint8Array(65_537))).toThrow('64 KiB')
    if (small) expect(readCertificate(small.der).subject.text).toBe('CN=Test Leaf')
  })
})

describe('PEM', () => {
  test.each([
    ['text before', (pem: string) => `subject=CN=x\n${pem}`],
    ['text behind', (pem: string) => `${pem}x`],
    ['text between', (pem: string) => `${pem}# next\n${pem}`],
    ['an end missing', (pem: string) => pem.replace(/-----END.*/, '')],
    ['a beginning missing', (pem: string) => pem.replace(/-----BEGIN.*/, '')],
    ['a beginning too many', (pem: string) => pem.replace(/(-----BEGIN.*\n)/, '$1$1')],
    ['a key in it', (pem: string) => `${pem}${leaf.key}`],
    ['another label', (pem: string) => pem.replaceAll('CERTIFICATE', 'X509 CERTIFICATE')],
    ['padding in the middle', (pem: string) => pem.replace('\nMI', '\n=MI')],
    ['a character that is not base64', (pem: string) => pem.replace('\nMI', '\n*MI')],
    ['base64url', (pem: string) => pem.replace(/[+/]/, '-')],
    ['a header', (pem: string) => pem.replace('\nMI', '\nProc-Type: 4\n\nMI')],
  ])('with %s is not read', (_what, change) => {
    const changed = change(leaf.certificate)
    if (changed !== leaf.certificate) expect(() => readCertificates(changed)).toThrow(Malformed)
  })

  test('may have any white space and line length', () => {
    const body = Buffer.from(leaf.der).toString('base64')
    const wide = `\r\n-----BEGIN CERTIFICATE-----\r\n${body}\r\n-----END CERTIFICATE-----\r\n \n`
    expect(readCertificate(wide).digest).toBe(readCertificate(leaf.der).digest)
  })
})

test('a changed byte anywhere gives a certificate that is not read or not accepted, and never another error', () => {
  const [untrusted, roots] = [[readCertificate(issuer.der)], [readCertificate(root.der)]]
  const accepted = (der: Uint8Array) => {
    try {
      return validatePath({ leaf: readCertificate(der), untrusted, roots, at: new Date(), profile: 'rfc5280' }).ok
    } catch (error) {
      if (error instanceof Malformed) return false
      throw error
    }
  }
  expect(accepted(leaf.der)).toBe(true)
  for (const [at, byte] of leaf.der.entries()) {
    // ECDSA takes (r, s) and no other bytes; every other one is signed or part of the form.
    for (const bit of [1, 0x80]) expect(accepted(leaf.der.with(at, byte ^ bit)), `byte ${at}`).toBe(false)
  }
})

test('no bytes at all make the reader throw anything but Malformed', () => {
  const read = (der: Uint8Array) => {
    try {
      readCertificate(der)
    } catch (error) {
      expect(error).toBeInstanceOf(Malformed)
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), read))
  const cut = fc.record({ at: fc.nat(), drop: fc.nat({ max: 8 }), put: fc.uint8Array({ maxLength: 8 }) })
  fc.assert(
    fc.property(cut, ({ at, drop, put }) => {
      const from = at % leaf.der.length
      read(Buffer.concat([leaf.der.subarray(0, from), put, leaf.der.subarray(from + drop)]))
    }),
    { numRuns: 2000 },
  )
})
