/** A new key never leaves the machine it was made on: what travels to the authority is a certificate request (RFC 2986). */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import { type CertifiedUse, purposesOf } from './certificate.ts'
import {
  BIT_STRING,
  BOOLEAN,
  bitString,
  constructed,
  Fields,
  hex,
  INTEGER,
  Malformed,
  natural,
  OCTET_STRING,
  primitive,
  SEQUENCE,
  SET,
} from './der.ts'
import { element, identifier, unsigned } from './der-writer.ts'
import { type Algorithm, algorithmOf } from './jws.ts'
import { signSm2, verifySm2 } from './sm2.ts'
import { extension, pemBlock, pemBlocks } from './x509.ts'

const UTF8_STRING = 0x0c
const COMMON_NAME = '2.5.4.3'
/** PKCS #9 (RFC 2985 section 5.4.2). */
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'

type Kind = {
  readonly generate: () => { readonly privateKey: KeyObject }
  /** The AlgorithmIdentifier of the signature, hex. */
  readonly signature: string
  readonly sign: (bytes: Uint8Array, key: KeyObject) => Buffer
  readonly verify: (bytes: Uint8Array, key: KeyObject, signature: Uint8Array) => boolean
}

const kinds: Readonly<Record<Algorithm, Kind>> = {
  // RFC 5758 section 3.2.
  ES256: {
    generate: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    signature: '300a06082a8648ce3d040302',
    sign: (bytes, key) => sign('sha256', bytes, key),
    verify: (bytes, key, signature) => verify('sha256', bytes, key, signature),
  },
  // RFC 8410 section 3.
  Ed25519: {
    generate: () => generateKeyPairSync('ed25519'),
    signature: '300506032b6570',
    sign: (bytes, key) => sign(null, bytes, key),
    verify: (bytes, key, signature) => verify(null, bytes, key, signature),
  },
  // RFC 9881 section 2.
  'ML-DSA-65': {
    generate: () => generateKeyPairSync('ml-dsa-65'),
    signature: '300b0609608648016503040312',
    sign: (bytes, key) => sign(null, bytes, key),
    verify: (bytes, key, signature) => verify(null, bytes, key, signature),
  },
  // 1.2.156.10197.1.501 (GM/T 0006); the signature as two integers (GM/T 0009).
  SGD_SM3_SM2: {
    generate: () => generateKeyPairSync('ec', { namedCurve: 'SM2' }),
    signature: '300a06082a811ccf55018375',
    sign: (bytes, key) => {
      const signature = signSm2(bytes, key)
      return element(SEQUENCE, unsigned(signature.subarray(0, 32)), unsigned(signature.subarray(32)))
    },
    verify: (bytes, key, signature) => {
      const fields = Fields.of(signature)
      const numbers = [natural(fields.take(INTEGER)), natural(fields.take(INTEGER))]
      fields.end()
      const text = numbers.map(number => number.toString(16).padStart(64, '0')).join('')
      return text.length === 128 && verifySm2(bytes, key, Buffer.from(text, 'hex'))
    },
  },
}

/**
 * Makes a key (PKCS #8 PEM) and the request (PEM) for a city's certificate. `alg` is the algorithm that a signing key is for; every
 * other key is P-256. Throws RangeError where another one is asked for.
 */
export function newKey(
  city: string,
  use: CertifiedUse,
  alg: Algorithm = 'ES256',
): { readonly key: string; readonly request: string } {
  const { privateKey } = kinds[alg].generate()
  return {
    request: requestFor(privateKey, city, use),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

/** The request (PEM) for a certificate of a private key that there is already. Throws RangeError as `newKey` does. */
export function requestFor(key: KeyObject, city: string, use: CertifiedUse): string {
  const alg = algorithmOf(key)
  if (alg === undefined || (use !== 'signing' && alg !== 'ES256')) throw new RangeError(`no ${use} key is of this kind`)
  const info = element(
    SEQUENCE,
    element(INTEGER, Buffer.of(0)),
    nameOf(`${city} ${use}`),
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    element(constructed(0), attribute(EXTENSION_REQUEST, element(SEQUENCE, ...extensionsOf(city, use)))),
  )
  const signature = bits(0, kinds[alg].sign(info, key))
  return pemBlock(element(SEQUENCE, info, Buffer.from(kinds[alg].signature, 'hex'), signature), 'CERTIFICATE REQUEST')
}

/**
 * The key that a request (PEM) of `newKey` asks to have certified: it signed the request itself, in its one algorithm, so whoever
 * asks has it. Nothing else is taken from a request. Throws Malformed.
 */
export function requestedKey(request: string): KeyObject {
  const [der, ...more] = pemBlocks(request, 'CERTIFICATE REQUEST')
  if (der === undefined || more.length > 0) throw new Malformed('not exactly one request')
  const fields = Fields.of(der)
  const info = fields.take(SEQUENCE)
  const algorithm = hex(fields.take(SEQUENCE).whole)
  const signature = bitString(fields.take(BIT_STRING))
  fields.end()
  const inner = new Fields(info)
  inner.take(INTEGER)
  inner.take(SEQUENCE)
  const key = publicKeyIn(inner.take(SEQUENCE).whole)
  const alg = algorithmOf(key)
  const kind = alg && kinds[alg]
  if (kind?.signature !== algorithm || !kind.verify(info.whole, key, signature)) {
    throw new Malformed('the request is not signed by its own key')
  }
  return key
}

function publicKeyIn(info: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(info), type: 'spki', format: 'der' })
  } catch {
    throw new Malformed('OpenSSL cannot read the key')
  }
}

function nameOf(commonName: string): Buffer {
  const value = element(UTF8_STRING, Buffer.from(commonName, 'utf8'))
  return element(SEQUENCE, element(SET, element(SEQUENCE, identifier(COMMON_NAME), value)))
}

function attribute(id: string, value: Buffer): Buffer {
  return element(SEQUENCE, identifier(id), element(SET, value))
}

/** What the authority is asked for; what the certificate says is for the authority to decide. */
function extensionsOf(city: string, use: CertifiedUse): Buffer[] {
  const name = element(primitive(6), Buffer.from(`xinqiao://${city}.city`, 'ascii'))
  const wrapped = (value: Buffer) => element(OCTET_STRING, value)
  // Bit 0 is digitalSignature (RFC 5280 section 4.2.1.3).
  const usage = [element(BOOLEAN, Buffer.of(0xff)), wrapped(bits(7, Buffer.of(0x80)))]
  return [
    element(SEQUENCE, identifier(extension.keyUsage), ...usage),
    element(
      SEQUENCE,
      identifier(extension.extendedKeyUsage),
      wrapped(element(SEQUENCE, ...purposesOf[use].map(identifier))),
    ),
    element(SEQUENCE, identifier(extension.subjectAltName), wrapped(element(SEQUENCE, name))),
  ]
}

function bits(unused: number, bytes: Uint8Array): Buffer {
  return element(BIT_STRING, Buffer.of(unused), bytes)
}
