/**
 * Certificates and signatures as signed: every field that path validation asks about, read from strict DER.
 *
 * @peculiar/x509 is not the reader here, for reasons found by trying it: it takes BER, hides the signed bytes and the
 * inner signature algorithm, knows no name constraints, policy constraints or issuing distribution points, prints
 * `2.25.{hex}` for a UUID purpose, and needs 170 ms for the extensions of x509-limbo's nc-dos-2. OpenSSL, through
 * node:crypto, is the second reader: it alone reads public keys, and what it cannot read or does not think issued by the
 * same certificate is refused whatever is found here.
 */
import { hash, type KeyObject, verify, X509Certificate } from 'node:crypto'
import {
  BIT_STRING,
  BOOLEAN,
  bitString,
  boolean,
  constructed,
  type Element,
  elementsOf,
  Fields,
  hex,
  INTEGER,
  integer,
  Malformed,
  namedBits,
  natural,
  OCTET_STRING,
  OID,
  oid,
  onlyElement,
  primitive,
  SEQUENCE,
  tagged,
} from './der.ts'
import {
  type DistinguishedName,
  type GeneralName,
  type NameConstraints,
  readAlternativeNames,
  readGeneralName,
  readName,
  readNameConstraints,
} from './names.ts'
import { sm2Point } from './sm2.ts'

/** Bits of KeyUsage (RFC 5280 section 4.2.1.3). */
export const keyUsage = { digitalSignature: 0, keyEncipherment: 2, keyAgreement: 4, keyCertSign: 5, cRLSign: 6 }

export const extension = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  cRLNumber: '2.5.29.20',
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  authorityKeyIdentifier: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  extendedKeyUsage: '2.5.29.37',
  inhibitAnyPolicy: '2.5.29.54',
}

export type Extensions = ReadonlyMap<string, { readonly critical: boolean; readonly value: Uint8Array }>

export type KeyIdentifier = {
  readonly keyId: string | undefined
  /** authorityCertIssuer and authorityCertSerialNumber, which stand only together. */
  readonly issuer: { readonly names: readonly GeneralName[]; readonly serial: string } | undefined
}

/** What a certificate and a CRL have in common: bytes, and a signature over them. */
export type Signed = {
  readonly tbs: Uint8Array
  /** The AlgorithmIdentifier inside the signed bytes and the one beside them, in hex. */
  readonly algorithm: { readonly inner: string; readonly outer: string }
  readonly signature: Uint8Array
}

export type Certificate = Signed & {
  readonly der: Uint8Array
  /** SHA-256 of the DER, base64url: what a JWS header calls `x5t#S256`. */
  readonly digest: string
  /** SHA-256 of the SubjectPublicKeyInfo, base64url. */
  readonly keyDigest: string
  /** Undefined where OpenSSL cannot read the key. */
  readonly publicKey: KeyObject | undefined
  /** OpenSSL's own reading, for its opinion and for those who need PEM. */
  readonly openssl: X509Certificate
  readonly version: number
  /** Two's complement, hex. */
  readonly serial: string
  readonly issuer: DistinguishedName
  readonly subject: DistinguishedName
  readonly notBefore: Date
  readonly notAfter: Date
  readonly hasUniqueIds: boolean
  readonly extensions: Extensions
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength: number | undefined } | undefined
  readonly keyUsage: ReadonlySet<number> | undefined
  readonly purposes: readonly string[] | undefined
  readonly alternativeNames: readonly GeneralName[]
  readonly nameConstraints: NameConstraints | undefined
  readonly subjectKeyIdentifier: string | undefined
  readonly authorityKeyIdentifier: KeyIdentifier | undefined
  readonly requiresExplicitPolicy: boolean
}

/** The largest certificate taken: a real one has one or two kilobytes. */
const LARGEST = 65_536

/** Reads one certificate, PEM or DER, to the last byte. Throws Malformed. */
export function readCertificate(source: string | Uint8Array): Certificate {
  if (typeof source !== 'string') return fromDer(source)
  const [certificate, ...more] = readCertificates(source)
  if (certificate === undefined || more.length > 0) throw new Malformed('not exactly one certificate')
  return certificate
}

/** Reads PEM certificates with nothing but white space around them (RFC 7468 section 3, strict). Throws Malformed. */
export function readCertificates(pem: string): Certificate[] {
  return pemBlocks(pem, 'CERTIFICATE').map(fromDer)
}

/** The DER of each PEM block; anything that is neither such a block nor white space is refused. */
export function pemBlocks(pem: string, label: string): readonly Uint8Array[] {
  const parts = pem.trim().split(`-----END ${label}-----`)
  if (parts.pop() !== '') throw new Malformed(`text after the last ${label}`)
  return parts.map(part => {
    const [before, body, ...more] = part.split(`-----BEGIN ${label}-----`)
    if (before?.trim() !== '' || body === undefined || more.length > 0) throw new Malformed(`text beside a ${label}`)
    const base64 = body.replace(/\s+/g, '')
    const der = Buffer.from(base64, 'base64')
    if (der.toString('base64') !== base64) throw new Malformed('base64 of a PEM block')
    return der
  })
}

/** The one PEM block of some DER (RFC 7468 section 3), lines of 64 characters, with the line feed at its end. */
export function pemBlock(der: Uint8Array, label: string): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** Splits what is signed from its signature (RFC 5280 sections 4.1 and 5.1, the same for both). */
export function readSigned(der: Uint8Array) {
  const outer = Fields.of(der)
  const tbs = outer.take(SEQUENCE)
  const algorithm = hex(outer.take(SEQUENCE).whole)
  const signature = bitString(outer.take(BIT_STRING))
  outer.end()
  return { tbs: tbs.whole, fields: new Fields(tbs), algorithm, signature }
}

function fromDer(source: Uint8Array): Certificate {
  if (source.length > LARGEST) throw new Malformed('certificate larger than 64 KiB')
  // A copy: what was checked must not change under the one who holds it.
  const der = Uint8Array.from(source)
  const openssl = opensslReading(der)
  const { tbs, fields, algorithm, signature } = readSigned(der)
  const version = fields.maybe(constructed(0))
  const serial = hex(integer(fields.take(INTEGER)))
  const inner = hex(fields.take(SEQUENCE).whole)
  const issuer = readName(fields.take(SEQUENCE))
  const validity = new Fields(fields.take(SEQUENCE))
  const [notBefore, notAfter] = [validity.takeTime(), validity.takeTime()]
  validity.end()
  const subject = readName(fields.take(SEQUENCE))
  const publicKeyInfo = fields.take(SEQUENCE).whole
  const uniqueIds = [fields.maybe(primitive(1)), fields.maybe(primitive(2))]
  const extensions = readExtensionField(fields.maybe(constructed(3)))
  fields.end()
  return {
    der,
    digest: hash('sha256', der, 'base64url'),
    keyDigest: hash('sha256', publicKeyInfo, 'base64url'),
    publicKey: publicKeyOf(openssl),
    openssl,
    tbs,
    algorithm: { inner, outer: algorithm },
    signature,
    version: version === undefined ? 1 : Number(natural(onlyElement(version.content, INTEGER))) + 1,
    serial,
    issuer,
    subject,
    notBefore,
    notAfter,
    hasUniqueIds: uniqueIds.some(id => id !== undefined),
    extensions,
    ...readKnownExtensions(extensions),
  }
}

function opensslReading(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der)
  } catch {
    throw new Malformed('OpenSSL cannot read the certificate')
  }
}

function publicKeyOf(certificate: X509Certificate): KeyObject | undefined {
  try {
    return certificate.publicKey
  } catch {
    return undefined
  }
}

/** None twice (RFC 5280 section 4.2). */
export function readExtensions(sequence: Element): Extensions {
  const extensions = new Map<string, { critical: boolean; value: Uint8Array }>()
  for (const each of elementsOf(tagged(sequence, SEQUENCE).content)) {
    const fields = new Fields(tagged(each, SEQUENCE))
    const id = oid(fields.take(OID))
    const critical = boolean(fields.maybe(BOOLEAN))
    const value = fields.take(OCTET_STRING).content
    fields.end()
    if (extensions.has(id)) throw new Malformed(`extension ${id} twice`)
    extensions.set(id, { critical, value })
  }
  return extensions
}

/** The field of a certificate or a CRL; where it stands, something stands in it (RFC 5280 section 4.1.2.9). */
export function readExtensionField(field: Element | undefined): Extensions {
  if (field === undefined) return new Map()
  const extensions = readExtensions(onlyElement(field.content, SEQUENCE))
  if (extensions.size === 0) throw new Malformed('empty extensions')
  return extensions
}

function readKnownExtensions(extensions: Extensions) {
  function read<T>(id: string, reader: (bytes: Uint8Array) => T): T | undefined {
    const found = extensions.get(id)
    return found && reader(found.value)
  }
  return {
    basicConstraints: read(extension.basicConstraints, readBasicConstraints),
    keyUsage: read(extension.keyUsage, readKeyUsage),
    purposes: read(extension.extendedKeyUsage, readPurposes),
    alternativeNames: read(extension.subjectAltName, readAlternativeNames) ?? [],
    nameConstraints: read(extension.nameConstraints, readNameConstraints),
    subjectKeyIdentifier: read(extension.subjectKeyIdentifier, bytes => hex(onlyElement(bytes, OCTET_STRING).content)),
    authorityKeyIdentifier: read(extension.authorityKeyIdentifier, readKeyIdentifier),
    requiresExplicitPolicy: read(extension.policyConstraints, readPolicyConstraints) ?? false,
  }
}

function readBasicConstraints(bytes: Uint8Array) {
  const fields = Fields.of(bytes)
  const ca = boolean(fields.maybe(BOOLEAN))
  const pathLength = fields.maybe(INTEGER)
  fields.end()
  return { ca, pathLength: pathLength && Number(natural(pathLength)) }
}

/** RFC 5280 section 4.2.1.3: at least one bit is set. */
function readKeyUsage(bytes: Uint8Array): ReadonlySet<number> {
  const bits = namedBits(onlyElement(bytes, BIT_STRING))
  if (bits.size === 0) throw new Malformed('key usage without a bit')
  return bits
}

function readPurposes(bytes: Uint8Array): readonly string[] {
  const purposes = elementsOf(onlyElement(bytes, SEQUENCE).content).map(purpose => oid(tagged(purpose, OID)))
  if (purposes.length === 0) throw new Malformed('extended key usage without a purpose')
  return purposes
}

export function readKeyIdentifier(bytes: Uint8Array): KeyIdentifier {
  const fields = Fields.of(bytes)
  const keyId = fields.maybe(primitive(0))
  const names = fields.maybe(constructed(1))
  const serial = fields.maybe(primitive(2))
  fields.end()
  if ((names === undefined) !== (serial === undefined)) throw new Malformed('half of an issuer and serial number')
  const issuer = names &&
    serial && { names: elementsOf(names.content).map(readGeneralName), serial: hex(integer(serial)) }
  return { keyId: keyId && hex(keyId.content), issuer }
}

/** Whether requireExplicitPolicy stands in it (RFC 5280 section 4.2.1.11). */
function readPolicyConstraints(bytes: Uint8Array): boolean {
  const fields = Fields.of(bytes)
  const [explicit, inhibit] = [fields.maybe(primitive(0)), fields.maybe(primitive(1))]
  fields.end()
  if (explicit === undefined && inhibit === undefined) throw new Malformed('empty policy constraints')
  return explicit !== undefined
}

type Algorithm = { readonly key: string; readonly hash: string | null }

/** Each algorithm by the exact bytes of its AlgorithmIdentifier, parameters included (RFC 4055, 5758, 8410). */
const algorithms: ReadonlyMap<string, Algorithm> = new Map([
  ['300a06082a8648ce3d040302', { key: 'ec', hash: 'sha256' }],
  ['300a06082a8648ce3d040303', { key: 'ec', hash: 'sha384' }],
  ['300a06082a8648ce3d040304', { key: 'ec', hash: 'sha512' }],
  ['300d06092a864886f70d01010b0500', { key: 'rsa', hash: 'sha256' }],
  ['300d06092a864886f70d01010c0500', { key: 'rsa', hash: 'sha384' }],
  ['300d06092a864886f70d01010d0500', { key: 'rsa', hash: 'sha512' }],
  ['300506032b6570', { key: 'ed25519', hash: null }],
])

/** Whether the signature is in an algorithm accepted here, named twice alike (RFC 5280 section 4.1.1.2). */
export function hasKnownAlgorithm({ algorithm }: Signed): boolean {
  return algorithm.inner === algorithm.outer && algorithms.has(algorithm.outer)
}

/** Whether the key made the signature over the bytes, in an accepted algorithm of its own kind. */
export function isSignedBy(signed: Signed, key: KeyObject | undefined): boolean {
  const algorithm = algorithms.get(signed.algorithm.outer)
  if (algorithm === undefined || key === undefined || !hasKnownAlgorithm(signed)) return false
  return key.asymmetricKeyType === algorithm.key && verify(algorithm.hash, signed.tbs, key, signed.signature)
}

const kinds: ReadonlyMap<string | undefined, string> = new Map([
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
  ['ed25519', 'Ed25519'],
  ['rsa', 'RSA'],
  ['ml-dsa-65', 'ML-DSA-65'],
])

/** `P-256`, `Ed25519`, `RSA`, `SM2` and so on, with the bits of a modulus: how the profiles speak of keys. */
export function keyKind(key: KeyObject | undefined): { readonly name: string; readonly bits: number } {
  const { namedCurve, modulusLength = 0 } = key?.asymmetricKeyDetails ?? {}
  const known = kinds.get(namedCurve ?? key?.asymmetricKeyType) ?? (key && sm2Point(key) && 'SM2')
  return { name: known ?? 'unknown', bits: modulusLength }
}
