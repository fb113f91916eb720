/** What a certificate request asks for, read by another hand than ours, and which requests are none. */
import 'reflect-metadata'
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import {
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
} from '@peculiar/x509'
import { describe, expect, it } from 'vitest'
import { SIGNING, STATEMENTS, TRANSPORT } from '#trust/certificate.ts'
import { bitString, elementsOf, hex, Malformed, onlyElement, SEQUENCE } from '#trust/der.ts'
import { element } from '#trust/der-writer.ts'
import { type Algorithm, algorithmOf, algorithms, keyId } from '#trust/jws.ts'
import { newKey, requestedKey, requestFor } from '#trust/request.ts'
import { signSm2 } from '#trust/sm2.ts'
import { bytes } from './bytes.ts'

const BIT_STRING = 0x03
const derOf = (request: string) => Buffer.from(request.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
const pemOf = (der: Uint8Array) =>
  `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
const partsOf = (request: string) => {
  const [info, algorithm, signature] = elementsOf(onlyElement(derOf(request), SEQUENCE).content)
  if (info === undefined || algorithm === undefined || signature === undefined) throw new RangeError('no request')
  return { info: info.whole, algorithm: algorithm.whole, signature: bitString(signature) }
}
/** A request of these parts, as its owner would have put it together. */
const requestOf = (info: Uint8Array, algorithm: Uint8Array, signature: Uint8Array, unused = 0, ...more: Uint8Array[]) =>
  pemOf(element(SEQUENCE, info, algorithm, element(BIT_STRING, Buffer.of(unused), signature), ...more))

describe('a certificate request', () => {
  it.each([
    ['signing', [SIGNING]],
    ['transport', [...TRANSPORT]],
    ['statements', [STATEMENTS]],
  ] as const)('for %s asks for the name of the city, that use and nothing else', (use, purposes) => {
    const { request } = newKey('hangzhou', use)
    const read = new Pkcs10CertificateRequest(request)
    expect(read.subject).toBe(`CN=hangzhou ${use}`)
    expect(read.attributes.map(({ type }) => type)).toEqual(['1.2.840.113549.1.9.14'])
    const asked = [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([...purposes]),
      new SubjectAlternativeNameExtension([{ type: 'url', value: 'xinqiao://hangzhou.city' }]),
    ]
    const written = (each: Extension) => Buffer.from(each.rawData).toString('hex')
    expect(read.extensions.map(written)).toEqual(asked.map(written))
  })

  it('is signed, by the key that it is for, as others read it', async () => {
    expect(await new Pkcs10CertificateRequest(newKey('hangzhou', 'signing').request).verify()).toBe(true)
    expect(await new Pkcs10CertificateRequest(newKey('hangzhou', 'signing', 'Ed25519').request).verify()).toBe(true)
  })

  it.each<[Algorithm, string]>([
    ['ES256', '300a06082a8648ce3d040302'],
    ['Ed25519', '300506032b6570'],
    ['ML-DSA-65', '300b0609608648016503040312'],
    ['SGD_SM3_SM2', '300a06082a811ccf55018375'],
  ])('of %s says so by the identifier of its standard, of version 0, in PEM', (alg, identifier) => {
    const { request, key } = newKey('hangzhou', 'signing', alg)
    expect(request).toMatch(/^-----BEGIN CERTIFICATE REQUEST-----\n/)
    expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
    const { info, algorithm } = partsOf(request)
    expect(hex(algorithm)).toBe(identifier)
    expect(hex(onlyElement(info, SEQUENCE).content)).toMatch(/^020100/)
  })

  it('of another algorithm than signing keys have is made for signing alone', () => {
    for (const alg of algorithms.filter(each => each !== 'ES256')) {
      for (const use of ['transport', 'statements'] as const) {
        expect(() => newKey('hangzhou', use, alg)).toThrow(`no ${use} key is of this kind`)
      }
    }
    const { privateKey } = generateKeyPairSync('ed25519')
    expect(() => requestFor(privateKey, 'hangzhou', 'transport')).toThrow(RangeError)
  })
})

describe('what is read of a request', () => {
  const { request } = newKey('hangzhou', 'signing')
  const { info, algorithm, signature } = partsOf(request)

  it('is its key, whoever put it together', () => {
    expect(keyId(requestedKey(requestOf(info, algorithm, signature)))).toBe(keyId(requestedKey(request)))
  })

  it.each([
    ['stands beside another', request + request],
    ['has something behind its signature', requestOf(info, algorithm, signature, 0, bytes('0500'))],
    ['has a signature that is no whole number of bytes', requestOf(info, algorithm, signature, 1)],
    ['has another identifier than its key', requestOf(info, bytes('300506032b6570'), signature)],
    [
      'has the signature of another',
      requestOf(info, algorithm, partsOf(newKey('hangzhou', 'signing').request).signature),
    ],
    ['is of a key that cannot be read', requestOf(element(SEQUENCE, bytes('020100 3000 3000')), algorithm, signature)],
  ])('is nothing where it %s', (_, text) => {
    expect(() => requestedKey(text)).toThrow(Malformed)
  })

  it('is nothing where its key is of none of our algorithms, though it signed it well', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const spki = publicKey.export({ type: 'spki', format: 'der' })
    const asked = element(SEQUENCE, bytes('020100 3000'), spki)
    expect(() => requestedKey(requestOf(asked, algorithm, sign('sha256', asked, privateKey)))).toThrow(Malformed)
  })

  it('is nothing where it says another algorithm than its key is of, though that key signed it', () => {
    const made = newKey('hangzhou', 'signing', 'Ed25519')
    const parts = partsOf(made.request)
    expect(() => requestedKey(requestOf(parts.info, algorithm, parts.signature))).toThrow(Malformed)
    expect(algorithmOf(requestedKey(requestOf(parts.info, parts.algorithm, parts.signature)))).toBe('Ed25519')
  })
})

/** A request of SM2 that was signed until both halves of the signature took 31 bytes, as one of 262,144 does. */
const SHORT = [
  'MIIBOTCB4wIBADAbMRkwFwYDVQQDDBBoYW5nemhvdSBzaWduaW5nMFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAEbCqn6epJJB5b',
  'Q5o5D+ThovNuSLwwLddCW+b0qKV6X4pAcI3tE+gwJh3Q5zgPZHnUlLR7PE8nlhkcKxvX2+hJM6BmMGQGCSqGSIb3DQEJDjFXMFUw',
  'DgYDVR0PAQH/BAQDAgeAMB8GA1UdJQQYMBYGFGmDy8XQtM2x+rydnKWLr+WNwsctMCIGA1UdEQQbMBmGF3hpbnFpYW86Ly9oYW5n',
  'emhvdS5jaXR5MAoGCCqBHM9VAYN1A0UAMEICHxP9ZuujROpBnE7XLFPIVZirhlU4uJi2Jekzx/6kJRgCH2MKy1jawUSsQB+6h/pj',
  'dvbCb+xRjnNKlHM26PADTio=',
].join('')

describe('a request of SM2', () => {
  const made = newKey('hangzhou', 'signing', 'SGD_SM3_SM2')
  const { info, algorithm } = partsOf(made.request)
  const integer = (digits: Uint8Array) => element(0x02, ...((digits[0] ?? 0) < 0x80 ? [] : [Buffer.of(0)]), digits)
  const key: KeyObject = createPrivateKey(made.key)
  const requestBy = (...signature: Uint8Array[]) => requestOf(info, algorithm, element(SEQUENCE, ...signature))
  const halves = () => {
    const signature = signSm2(info, key)
    return [signature.subarray(0, 32), signature.subarray(32)] as const
  }

  it('has two integers for a signature, and nothing behind them', () => {
    const [r, s] = halves()
    const shortest = (half: Uint8Array) => integer(half.subarray(half.findIndex(byte => byte > 0)))
    expect(keyId(requestedKey(requestBy(shortest(r), shortest(s))))).toBe(keyId(key))
    expect(() => requestedKey(requestBy(shortest(r), shortest(s), integer(bytes('01'))))).toThrow(Malformed)
    expect(() => requestedKey(requestBy(shortest(s), shortest(r)))).toThrow(Malformed)
    const text = requestOf(info, algorithm, Buffer.concat([element(SEQUENCE, shortest(r), shortest(s)), bytes('0500')]))
    expect(() => requestedKey(text)).toThrow(Malformed)
  })

  it('is read where both halves of its signature are shorter than they may be', () => {
    expect(keyId(requestedKey(pemOf(Buffer.from(SHORT, 'base64'))))).toBe('4a9793Cm7HB5T5oUPmsX6rpcHueJXnEnF_-E7PVFXqM')
  })

  it('is refused where its signature is of more than two times 32 bytes', () => {
    const [r, s] = halves()
    const longer = integer(Buffer.concat([bytes('01'), s]))
    expect(() => requestedKey(requestBy(integer(r), longer))).toThrow(Malformed)
  })
})
