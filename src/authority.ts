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
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  X509CrlGenerator,
} from '@peculiar/x509'
import { SIGNING, TRANSPORT } from '#trust/certificate.ts'

const P256 = { name: 'ECDSA', namedCurve: 'P-256' }
const SHA256 = { name: 'ECDSA', hash: 'SHA-256' }
const DAY = 86_400_000

type Issued = { readonly certificate: string; readonly key: string }
type Certified = Issued & { readonly name: string; readonly keys: webcrypto.CryptoKeyPair }

export type Authority = {
  readonly root: string
  /** PEM revocation lists of the root and of the issuing authority, both empty. */
  readonly crls: readonly { readonly name: string; readonly pem: string }[]
  /** A member's certificate, followed by the issuing authority's, and its private key; valid for thirty days. */
  issue(city: string, use: 'signing' | 'transport'): Promise<Issued>
  /**
   * The certificate for a request (PEM) that `xinqiao keys new` or `init` made, followed by the issuing authority's. Only the
   * public key is taken from it, and its proof of possession; what the certificate says is for the authority to decide.
   */
  certify(request: string, city: string, use: 'signing' | 'transport'): Promise<string>
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
      const member = await certify(`CN=${city} ${use}`, issuer, memberExtensions(city, use))
      return { certificate: member.certificate + issuer.certificate, key: member.key }
    },
    async certify(text, city, use) {
      const request = new Pkcs10CertificateRequest(text)
      if (!(await request.verify())) throw new RangeError('the request is not signed by its own key')
      const publicKey = await request.publicKey.export(P256, ['verify'])
      const certificate = await certificateOf(`CN=${city} ${use}`, publicKey, issuer, memberExtensions(city, use))
      return certificate + issuer.certificate
    },
  }
}

function memberExtensions(city: string, use: 'signing' | 'transport'): Extension[] {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension(use === 'signing' ? [SIGNING] : [...TRANSPORT]),
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
  publicKey: webcrypto.CryptoKey,
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
