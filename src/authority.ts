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
  X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
} from '@peculiar/x509'
import { type CertifiedUse, purposesOf } from '#trust/certificate.ts'
import type { Algorithm } from '#trust/jws.ts'
import { newKey, requestedKey } from '#trust/request.ts'

const P256 = { name: 'ECDSA', namedCurve: 'P-256' }
const SHA256 = { name: 'ECDSA', hash: 'SHA-256' }
const DAY = 86_400_000

type Issued = { readonly certificate: string; readonly key: string }
type Certified = Issued & { readonly name: string; readonly keys: webcrypto.CryptoKeyPair }

type RevocationList = { readonly name: string; readonly pem: string }

export type Authority = {
  readonly root: string
  /** PEM revocation lists of the root and of the issuing authority, both empty. */
  readonly crls: readonly RevocationList[]
  /** The issuing authority's next list, which revokes these certificates (PEM, the first of each) and holds for so many days. */
  revoke(certificates: readonly string[], days?: number): Promise<RevocationList>
  /** A member's certificate, followed by the issuing authority's, and its private key; valid for thirty days. */
  issue(city: string, use: CertifiedUse, alg?: Algorithm): Promise<Issued>
  /**
   * The certificate for a request (PEM) that `xinqiao keys new` or `init` made, followed by the issuing authority's. Only the
   * public key is taken from it, and its proof of possession; what the certificate says is for the authority to decide.
   */
  certify(request: string, city: string, use: CertifiedUse): Promise<string>
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
  let lists = 1
  return {
    root: root.certificate,
    crls: [
      { name: 'root.pem', pem: await listOf(root, 1, []) },
      { name: 'issuing.pem', pem: await listOf(issuer, 1, []) },
    ],
    async revoke(certificates, days = 30) {
      lists += 1
      return { name: 'issuing.pem', pem: await listOf(issuer, lists, certificates, days) }
    },
    async issue(city, use, alg) {
      const { key, request } = newKey(city, use, alg)
      return { key, certificate: await certifyFor(issuer, request, city, use) }
    },
    certify: (request, city, use) => certifyFor(issuer, request, city, use),
  }
}

async function certifyFor(issuer: Certified, request: string, city: string, use: CertifiedUse): Promise<string> {
  const publicKey = new Uint8Array(requestedKey(request).export({ type: 'spki', format: 'der' }))
  const certificate = await certificateOf(`CN=${city} ${use}`, publicKey, issuer, memberExtensions(city, use))
  return certificate + issuer.certificate
}

function memberExtensions(city: string, use: CertifiedUse): Extension[] {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([...purposesOf[use]]),
    new SubjectAlternativeNameExtension([{ type: 'url', value: `xinqiao://${city}.city` }]),
  ]
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
  const certificate = await certificateOf(name, keys.publicKey, issuer ?? { name, keys }, extensions)
  return { name, keys, certificate, key: pem(keys.privateKey) }
}

/** The PEM of a certificate for a public key. */
async function certificateOf(
  name: string,
  publicKey: webcrypto.CryptoKey | Uint8Array<ArrayBuffer>,
  signer: Pick<Certified, 'name' | 'keys'>,
  extensions: readonly Extension[],
): Promise<string> {
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: name,
    issuer: signer.name,
    notBefore: new Date(Date.now() - DAY),
    notAfter: new Date(Date.now() + 30 * DAY),
    publicKey,
    signingKey: signer.keys.privateKey,
    signingAlgorithm: SHA256,
    extensions: [
      ...extensions,
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(signer.keys.publicKey),
    ],
  })
  return `${certificate.toString('pem')}\n`
}

async function listOf(
  { name, keys }: Certified,
  number: number,
  revoked: readonly string[],
  days = 30,
): Promise<string> {
  const list = await X509CrlGenerator.create({
    issuer: name,
    thisUpdate: new Date(Date.now() - DAY / 2),
    nextUpdate: new Date(Date.now() + days * DAY),
    entries: revoked.map(pem => ({
      serialNumber: new X509Certificate(pem).serialNumber,
      revocationDate: new Date(Date.now() - 1000),
    })),
    // cRLNumber (RFC 5280 section 5.2.3).
    extensions: [
      await AuthorityKeyIdentifierExtension.create(keys.publicKey),
      new Extension('2.5.29.20', false, new Uint8Array([2, 1, number])),
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
