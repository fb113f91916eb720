/** A throw-away certificate authority, for the demo, the benchmark and tests; a real federation runs its own, elsewhere. */
import 'reflect-metadata'
import { KeyObject, randomBytes, type webcrypto } from 'node:crypto'
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
  X509CrlGenerator,
} from '@peculiar/x509'
import { SIGNING, TRANSPORT } from '#trust/certificate.ts'

const P256 = { name: 'ECDSA', namedCurve: 'P-256' }
const SHA256 = { name: 'ECDSA', hash: 'SHA-256' }
const DAY = 86_400_000

export type Issued = { readonly certificate: string; readonly key: string }
type Certified = Issued & { readonly name: string; readonly keys: webcrypto.CryptoKeyPair }

export type Authority = {
  readonly root: string
  /** PEM revocation lists of the root and of the issuing authority, both empty. */
  readonly crls: readonly { readonly name: string; readonly pem: string }[]
  /** A member's certificate, followed by the issuing authority's, and its private key; valid for thirty days. */
  issue(city: string, use: 'signing' | 'transport'): Promise<Issued>
}

/** Makes a root and an issuing authority under it, with fresh P-256 keys. */
export async function makeAuthority(): Promise<Authority> {
  const root = await certify('CN=Xinqiao demo federation root', undefined, [
    new BasicConstraintsExtension(true, 1, true),
    caUsage(),
  ])
  const issuer = await certify('CN=Xinqiao demo issuing authority', root, [
    new BasicConstraintsExtension(true, 0, true),
    caUsage(),
  ])
  return {
    root: root.certificate,
    crls: [
      { name: 'root.pem', pem: await emptyList(root) },
      { name: 'issuing.pem', pem: await emptyList(issuer) },
    ],
    async issue(city, use) {
      const member = await certify(`CN=${city} ${use}`, issuer, [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension(use === 'signing' ? [SIGNING] : [...TRANSPORT]),
        new SubjectAlternativeNameExtension([{ type: 'url', value: `xinqiao://${city}.city` }]),
      ])
      return { certificate: member.certificate + issuer.certificate, key: member.key }
    },
  }
}

function caUsage(): KeyUsagesExtension {
  return new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true)
}

async function certify(
  name: string,
  issuer: Certified | undefined,
  extensions: readonly Extension[],
): Promise<Certified> {
  const keys = await crypto.subtle.generateKey(P256, true, ['sign', 'verify'])
  const signer = issuer ?? { name, keys }
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: name,
    issuer: signer.name,
    notBefore: new Date(Date.now() - DAY),
    notAfter: new Date(Date.now() + 30 * DAY),
    publicKey: keys.publicKey,
    signingKey: signer.keys.privateKey,
    signingAlgorithm: SHA256,
    extensions: [
      ...extensions,
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(signer.keys.publicKey),
    ],
  })
  return { name, keys, certificate: `${certificate.toString('pem')}\n`, key: pem(keys.privateKey) }
}

async function emptyList({ name, keys }: Certified): Promise<string> {
  const list = await X509CrlGenerator.create({
    issuer: name,
    thisUpdate: new Date(Date.now() - DAY / 2),
    nextUpdate: new Date(Date.now() + 30 * DAY),
    entries: [],
    // cRLNumber 1 (RFC 5280 section 5.2.3).
    extensions: [
      await AuthorityKeyIdentifierExtension.create(keys.publicKey),
      new Extension('2.5.29.20', false, new Uint8Array([2, 1, 1])),
    ],
    signingAlgorithm: SHA256,
    signingKey: keys.privateKey,
  })
  return `${PemConverter.encode(list.rawData, 'X509 CRL')}\n`
}

/** Sixteen bytes, positive, first byte not zero (RFC 5280 section 4.1.2.2). */
function serial(): string {
  const bytes = randomBytes(16)
  bytes[0] = 0x40 | (bytes.readUInt8(0) & 0x3f)
  return bytes.toString('hex')
}

function pem(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString()
}
