/** The edges of DER and of a certificate's form: the last value that is taken, and the first that is not. */
import 'reflect-metadata'
import { Extension } from '@peculiar/x509'
import { beforeAll, describe, expect, it } from 'vitest'
import { readCertificate, readCertificates } from '#trust/certificate.ts'
import {
  ascii,
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
import { readKeyIdentifier } from '#trust/x509.ts'
import { element, fromDer, type Made, makeIssuer, makeLeaf, makeRoot, resign } from '../certificates.ts'
import { bytes, first } from './bytes.ts'

describe('an element', () => {
  it.each(['1f00', '3f00', 'bf00', 'ff00', '5f00'])('has a tag of one byte: %s', hex => {
    expect(() => elementsOf(bytes(hex))).toThrow(Malformed)
  })

  it('says its length, though as much should follow as one could guess', () => {
    expect(() => elementsOf(Buffer.concat([bytes('3080'), Buffer.alloc(128)]))).toThrow(Malformed)
    const large = Buffer.concat([bytes('0484 01000000'), Buffer.alloc(1 << 24)])
    expect(() => elementsOf(large)).toThrow(Malformed)
    const most = Buffer.concat([bytes('0483 ffffff'), Buffer.alloc((1 << 24) - 1)])
    expect(elementsOf(most)).toHaveLength(1)
  })

  it('has an error of its own name, which is no other error', () => {
    expect(new Malformed('x')).toMatchObject({ name: 'Malformed', message: 'x' })
    expect(new Malformed('x')).toBeInstanceOf(Error)
  })
})

describe('a value', () => {
  it('is an integer of one byte or more, as short as it can be', () => {
    expect([...integer(first('020100'))]).toEqual([0])
    expect([...integer(first('0201ff'))]).toEqual([0xff])
    expect(natural(first('020100'))).toBe(0n)
    expect(natural(first('02017f'))).toBe(127n)
  })

  it('is a list of bits of four bytes at most', () => {
    expect([...namedBits(first('030500 00000001'))]).toEqual([31])
    expect(() => namedBits(first('030600 0000000001'))).toThrow(Malformed)
  })

  it('is an object identifier of sixty-four bytes at most, with arcs in which a byte may be zero but for its mark', () => {
    const arcs = oid(onlyElement(element(6, new Uint8Array(64).fill(1)), 6))
    expect(arcs).toBe(`0${'.1'.repeat(64)}`)
    expect(() => oid(onlyElement(element(6, new Uint8Array(65).fill(1)), 6))).toThrow(Malformed)
    expect(oid(first('0604 2a818001'))).toBe('1.2.16385')
    expect(oid(first('0601 77'))).toBe('2.39')
  })

  it('is ASCII to its last character', () => {
    expect(ascii(bytes('007f'))).toBe('\0\x7f')
    expect(() => ascii(bytes('80'))).toThrow(Malformed)
  })

  const time = (tag: number, text: string) => Fields.of(element(SEQUENCE, element(tag, Buffer.from(text)))).takeTime()
  it.each([
    [0x17, '260520160000Z', '2026-05-20T16:00:00.000Z'],
    [0x17, '500101000000Z', '1950-01-01T00:00:00.000Z'],
    [0x17, '491231235959Z', '2049-12-31T23:59:59.000Z'],
    [0x18, '20500101000000Z', '2050-01-01T00:00:00.000Z'],
  ])('is a time: %i %s', (tag, text, expected) => {
    expect(time(tag, text).toISOString()).toBe(expected)
  })

  it.each([
    [0x17, '260520160000Z0'],
    [0x17, '0260520160000Z'],
    [0x17, '260520160000ZZ'],
    [0x17, 'Z260520160000Z'],
    [0x17, '20260520160000Z'],
    [0x17, '20500101000000Z'],
    [0x18, '20491231235959Z'],
    [0x18, '500101000000Z'],
    [0x17, '2605201600Z'],
    [0x17, '260520160000'],
    [0x17, '260229000000Z'],
    [0x17, '260520240000Z'],
    [0x17, '260520160060Z'],
    [0x17, ''],
  ])('is no time: %i %s', (tag, text) => {
    expect(() => time(tag, text)).toThrow(Malformed)
  })
})

describe('a certificate', () => {
  let root: Made
  let leaf: Made
  beforeAll(async () => {
    root = await makeRoot({ kind: 'Ed25519' })
    leaf = await makeLeaf({ issuer: root })
  })
  const reading = (made: Made) => () => readCertificate(made.certificate)

  it('has at most 65,536 bytes', async () => {
    const sized = (size: number) =>
      makeLeaf({ issuer: root, more: [new Extension('1.2.3.4', false, new Uint8Array(size))] })
    const trial = await sized(60_000)
    const fit = 60_000 + 65_536 - trial.der.length
    const most = await sized(fit)
    expect(most.der).toHaveLength(65_536)
    expect(reading(most)).not.toThrow()
    expect(reading(await sized(fit + 1))).toThrow(Malformed)
  })

  it('has nothing behind its last field, in any of its parts', () => {
    const extra = element(5)
    const within = (whole: Uint8Array, tag = SEQUENCE) =>
      element(tag, ...elementsOf(onlyElement(whole, tag).content).map(each => each.whole), extra)
    expect(reading(fromDer(leaf, within(leaf.der)))).toThrow(Malformed)
    expect(reading(resign(leaf, root, fields => [...fields, extra]))).toThrow(Malformed)
    expect(reading(resign(leaf, root, fields => fields.with(4, within(fields[4] ?? extra))))).toThrow(Malformed)
  })

  it('has no extension with a fourth part', async () => {
    const good = await makeLeaf({ issuer: root, more: [new Extension('1.2.3.4', false, element(5))] })
    expect(reading(good)).not.toThrow()
    const longer = resign(good, root, fields => {
      const [list] = elementsOf(onlyElement(fields.at(-1) ?? new Uint8Array(), 0xa3).content)
      const extensions = elementsOf(list?.content ?? new Uint8Array()).map(each => each.whole)
      const last = elementsOf(onlyElement(extensions.at(-1) ?? new Uint8Array(), SEQUENCE).content)
      const changed = element(SEQUENCE, ...last.map(each => each.whole), element(5))
      return fields.with(-1, element(0xa3, element(SEQUENCE, ...extensions.slice(0, -1), changed)))
    })
    expect(reading(longer)).toThrow(Malformed)
  })

  it('may have no extensions, and then no names and nothing else', () => {
    const read = readCertificate(resign(leaf, root, fields => fields.slice(0, -1)).certificate)
    expect(read).toMatchObject({ alternativeNames: [], requiresExplicitPolicy: false, hasUniqueIds: false, version: 3 })
    expect([read.keyUsage, read.purposes, read.basicConstraints]).toEqual([undefined, undefined, undefined])
  })

  it.each([0x81, 0x82])('says whether it has a unique identifier, of its issuer or its subject: %i', tag => {
    const made = resign(leaf, root, fields => fields.toSpliced(7, 0, element(tag, Buffer.of(0, 1))))
    expect(readCertificate(made.certificate).hasUniqueIds).toBe(true)
  })

  it('says of its issuer a key, or a name and a number, and nothing behind', () => {
    const name = element(0x82, Buffer.from('example.com'))
    const [keyId, names, serial] = [element(0x80, bytes('0102')), element(0xa1, name), element(0x82, bytes('47'))]
    expect(readKeyIdentifier(element(SEQUENCE, keyId))).toEqual({ keyId: '0102', issuer: undefined })
    expect(readKeyIdentifier(element(SEQUENCE, names, serial))).toEqual({
      keyId: undefined,
      issuer: { names: [{ form: 'dns', value: 'example.com' }], serial: '47' },
    })
    for (const wrong of [
      [keyId, names],
      [keyId, serial],
      [keyId, element(0x83)],
      [names, serial, element(5)],
    ]) {
      expect(() => readKeyIdentifier(element(SEQUENCE, ...wrong))).toThrow(Malformed)
    }
  })

  it.each([
    ['nothing in it', element(SEQUENCE)],
    ['something behind', element(SEQUENCE, element(0x81, Buffer.of(0)), element(5))],
  ])('has no policy constraints with %s', async (_, value) => {
    expect(reading(await makeLeaf({ issuer: root, more: [new Extension('2.5.29.36', true, value)] }))).toThrow(
      Malformed,
    )
  })
})

describe('a text of certificates', () => {
  it.each([
    ['an end without a beginning', (pem: string) => pem.replace('-----BEGIN CERTIFICATE-----', '')],
    ['an end alone', () => '-----END CERTIFICATE-----'],
    ['two beginnings and one end', (pem: string) => pem.replace(/-----END.*/s, '') + pem],
    ['a beginning alone', (pem: string) => pem.replace(/-----END.*/s, '')],
    ['nothing between them', () => '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----'],
  ])('with %s is refused', async (_, change) => {
    const { certificate } = await makeIssuer({ issuer: await makeRoot() })
    expect(readCertificates(certificate)).toHaveLength(1)
    expect(() => readCertificates(change(certificate))).toThrow(Malformed)
  })
})
