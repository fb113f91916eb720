/** Real certificates and CRLs made at test time; every option exists to break one thing and leave the rest right. */
import 'reflect-metadata'
import { KeyObject, randomBytes, sign, type webcrypto } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  type X509CrlEntryParams,
  X509CrlGenerator,
} from '@peculiar/x509'
import { elementsOf, Malformed, onlyElement, SEQUENCE } from '#trust/der.ts'

/** RFC 5280 section 4.2.1.12 and the federation's own purpose (src/trust/certificate.ts). */
export const serverAuth = '1.3.6.1.5.5.7.3.1'
export const clientAuth = '1.3.6.1.5.5.7.3.2'
const officeStatements = '2.25.62011045556956870471791065649333587181'
export const memberSigning = '2.25.305419355372480554288331454216116675501'

export type KeyKind = 'P-256' | 'P-384' | 'P-521' | 'Ed25519' | 'RSA-1024' | 'RSA-2048' | 'RSA-3072'

export type Made = {
  /** PEM. */
  readonly certificate: string
  /** PKCS #8 PEM. */
  readonly key: string
  readonly der: Uint8Array
  readonly subject: string
  /** Hex. */
  readonly serial: string
  readonly keys: webcrypto.CryptoKeyPair
  readonly kind: KeyKind
}

type Slot =
  | 'basicConstraints'
  | 'keyUsage'
  | 'extendedKeyUsage'
  | 'subjectAltName'
  | 'subjectKeyIdentifier'
  | 'authorityKeyIdentifier'

type Options = {
  readonly subject?: string
  /** The signer; absent, the certificate signs itself. */
  readonly issuer?: Made
  /** Overrides the issuer name that would follow from `issuer`. */
  readonly issuerName?: string
  readonly keys?: webcrypto.CryptoKeyPair
  readonly kind?: KeyKind
  readonly hash?: 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512'
  /** Hex. */
  readonly serial?: string
  readonly notBefore?: Date
  readonly notAfter?: Date
  /** Replaces a default extension, or leaves it out. */
  readonly extensions?: { readonly [slot in Slot]?: Extension | false }
  /** Added after the defaults, in this order. */
  readonly more?: readonly Extension[]
}

const day = 86_400_000

/** Whole seconds, because that is all a certificate can say. */
export function daysFromNow(days: number): Date {
  return new Date(Math.floor((Date.now() + days * day) / 1000) * 1000)
}

export async function makeKeys(kind: KeyKind = 'P-256', hash = 'SHA-256'): Promise<webcrypto.CryptoKeyPair> {
  const pair = await crypto.subtle.generateKey(keyParameters(kind, hash), true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new TypeError('not a key pair')
  return pair
}

function keyParameters(kind: KeyKind, hash: string) {
  if (kind === 'Ed25519') return { name: 'Ed25519' }
  if (!kind.startsWith('RSA-')) return { name: 'ECDSA', namedCurve: kind }
  return {
    name: 'RSASSA-PKCS1-v1_5',
    hash,
    modulusLength: Number(kind.slice(4)),
    publicExponent: new Uint8Array([1, 0, 1]),
  }
}

function signingAlgorithm(kind: KeyKind, hash: string) {
  if (kind === 'Ed25519') return { name: 'Ed25519' }
  return { name: kind.startsWith('RSA-') ? 'RSASSA-PKCS1-v1_5' : 'ECDSA', hash }
}

const { keyCertSign, cRLSign, digitalSignature } = KeyUsageFlags

type CaOptions = Options & { readonly pathLength?: number }

/** A self-signed CA certificate that is right in every way, until `options` say otherwise. */
export async function makeRoot(options: CaOptions = {}): Promise<Made> {
  return makeIssuer({ subject: 'CN=Test Federation Root', ...options })
}

/** A CA certificate under `issuer`. */
export async function makeIssuer(options: CaOptions = {}): Promise<Made> {
  const { pathLength, ...rest } = options
  return make({ subject: 'CN=Test Issuing CA', ...rest }, { ca: true, pathLength })
}

type LeafOptions = Options & {
  readonly dns?: readonly string[]
  readonly uri?: readonly string[]
  readonly ip?: readonly string[]
  readonly email?: readonly string[]
  readonly purposes?: readonly string[]
}

/** An end-entity certificate under `issuer`, by default for TLS and for example.com. */
export async function makeLeaf(options: LeafOptions = {}): Promise<Made> {
  const { dns, uri, ip, email, purposes = [serverAuth], ...rest } = options
  const some = dns ?? uri ?? ip ?? email
  const names = [
    ...(some ? (dns ?? []) : ['example.com']).map(value => ({ type: 'dns' as const, value })),
    ...(uri ?? []).map(value => ({ type: 'url' as const, value })),
    ...(ip ?? []).map(value => ({ type: 'ip' as const, value })),
    ...(email ?? []).map(value => ({ type: 'email' as const, value })),
  ]
  return make({ subject: 'CN=Test Leaf', ...rest }, { ca: false, names, purposes })
}

type MemberOptions = Omit<LeafOptions, 'kind'> & {
  readonly city: string
  readonly kind?: 'signing' | 'tls' | 'office'
  readonly keyKind?: KeyKind
}

/** A certificate of a federation member: for signing messages, or for both ends of TLS. `dns` and `ip` serve TLS. */
export async function makeMember(options: MemberOptions): Promise<Made> {
  const { city, kind = 'signing', keyKind, ...rest } = options
  return makeLeaf({
    subject: `CN=${city} ${kind}`,
    uri: [`xinqiao://${city}.city`],
    purposes: kind === 'tls' ? [serverAuth, clientAuth] : kind === 'signing' ? [memberSigning] : [officeStatements],
    ...rest,
    ...(keyKind && { kind: keyKind }),
  })
}

type Role = {
  readonly ca: boolean
  readonly pathLength?: number | undefined
  readonly names?: ConstructorParameters<typeof SubjectAlternativeNameExtension>[0]
  readonly purposes?: readonly string[]
}

async function make(options: Options, role: Role): Promise<Made> {
  const { kind = 'P-256', subject = 'CN=Test', issuer } = options
  const hash = options.hash ?? 'SHA-256'
  const keys = options.keys ?? (await makeKeys(kind, hash))
  const signer = issuer ?? { subject, keys, kind }
  const serial = options.serial ?? newSerial()
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial,
    subject,
    issuer: options.issuerName ?? signer.subject,
    notBefore: options.notBefore ?? daysFromNow(-1),
    notAfter: options.notAfter ?? daysFromNow(30),
    publicKey: keys.publicKey,
    signingKey: signer.keys.privateKey,
    signingAlgorithm: signingAlgorithm(signer.kind, hash),
    extensions: await extensionsOf(options, role, keys, signer.keys),
  })
  return {
    certificate: `${certificate.toString('pem')}\n`,
    key: pem(keys.privateKey),
    der: new Uint8Array(certificate.rawData),
    subject,
    serial,
    keys,
    kind,
  }
}

async function extensionsOf(
  options: Options,
  role: Role,
  keys: webcrypto.CryptoKeyPair,
  signer: webcrypto.CryptoKeyPair,
) {
  const usage = role.ca ? keyCertSign | cRLSign : digitalSignature
  const defaults: Record<Slot, Extension | false> = {
    basicConstraints: new BasicConstraintsExtension(role.ca, role.pathLength, true),
    keyUsage: new KeyUsagesExtension(usage, true),
    extendedKeyUsage: role.purposes !== undefined && new ExtendedKeyUsageExtension([...role.purposes]),
    subjectAltName: role.names !== undefined && new SubjectAlternativeNameExtension(role.names),
    subjectKeyIdentifier: await SubjectKeyIdentifierExtension.create(keys.publicKey),
    authorityKeyIdentifier: await AuthorityKeyIdentifierExtension.create(signer.publicKey),
  }
  const chosen = Object.values({ ...defaults, ...options.extensions }).filter(
    each => each !== false && each !== undefined,
  )
  return [...chosen, ...(options.more ?? [])]
}

/**
 * The same certificate with the elements of its signed part changed, and signed anew by `signer` (P-256 or Ed25519): for
 * what no generator would make. The elements are version, serial, algorithm, issuer, validity, subject, key, extensions.
 */
export function resign(
  made: Made,
  signer: Made,
  change: (fields: readonly Uint8Array[]) => readonly Uint8Array[],
): Made {
  const [signed, algorithm] = elementsOf(onlyElement(made.der, SEQUENCE).content)
  if (signed === undefined || algorithm === undefined) throw new Malformed('made certificate')
  const tbs = element(SEQUENCE, ...change(elementsOf(signed.content).map(each => each.whole)))
  const signature = sign(signer.kind === 'Ed25519' ? null : 'sha256', tbs, signer.key)
  return fromDer(made, element(SEQUENCE, tbs, algorithm.whole, element(3, Buffer.of(0), signature)))
}

/** The same keys under other bytes. */
export function fromDer(made: Made, der: Uint8Array): Made {
  return { ...made, der, certificate: `${PemConverter.encode(new Uint8Array(der), 'CERTIFICATE')}\n` }
}

/** Sixteen bytes, positive, first byte not zero (RFC 5280 section 4.1.2.2). */
export function newSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f)
  return bytes.toString('hex')
}

function pem(key: CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString()
}

export type CrlOptions = {
  readonly issuer: Made
  readonly number?: number | bigint
  /** Hex serial numbers, or made certificates. */
  readonly revoked?: readonly (string | Made)[]
  readonly entries?: readonly X509CrlEntryParams[]
  readonly thisUpdate?: Date
  /** `false` leaves the field out. */
  readonly nextUpdate?: Date | false
  readonly issuerName?: string
  readonly signer?: Made
  readonly extensions?: { readonly authorityKeyIdentifier?: Extension | false; readonly cRLNumber?: Extension | false }
  readonly more?: readonly Extension[]
}

/** A CRL of `issuer`, PEM. */
export async function makeCrl(options: CrlOptions): Promise<string> {
  const { issuer, signer = issuer } = options
  const extensions = Object.values({
    authorityKeyIdentifier: await AuthorityKeyIdentifierExtension.create(signer.keys.publicKey),
    cRLNumber: new Extension('2.5.29.20', false, integer(BigInt(options.number ?? 1))),
    ...options.extensions,
  }).filter(each => each !== false && each !== undefined)
  const crl = await X509CrlGenerator.create({
    issuer: options.issuerName ?? issuer.subject,
    thisUpdate: options.thisUpdate ?? daysFromNow(-0.5),
    ...(options.nextUpdate !== false && { nextUpdate: options.nextUpdate ?? daysFromNow(7) }),
    entries: [
      ...(options.revoked ?? []).map(each => ({
        serialNumber: typeof each === 'string' ? each : each.serial,
        revocationDate: daysFromNow(-0.75),
      })),
      ...(options.entries ?? []),
    ],
    extensions: [...extensions, ...(options.more ?? [])],
    signingAlgorithm: signingAlgorithm(signer.kind, 'SHA-256'),
    signingKey: signer.keys.privateKey,
  })
  return `${PemConverter.encode(crl.rawData, 'X509 CRL')}\n`
}

/** DER: one element. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const content = Buffer.concat(contents)
  const size = content.length
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return new Uint8Array(Buffer.concat([Buffer.from([tag, ...length]), content]))
}

/** DER: a non-negative INTEGER. */
export function integer(value: bigint): Uint8Array<ArrayBuffer> {
  const hex = value.toString(16)
  const even = hex.length % 2 === 0 ? hex : `0${hex}`
  return element(2, Buffer.from(Number.parseInt(even.slice(0, 2), 16) > 0x7f ? `00${even}` : even, 'hex'))
}
