/** A new key never leaves the machine it was made on: what travels to the authority is a certificate request (RFC 2986). */
import 'reflect-metadata'
import { KeyObject } from 'node:crypto'
import {
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from '@peculiar/x509'
import { SIGNING, TRANSPORT } from './certificate.ts'

/** Makes a P-256 key (PKCS #8 PEM) and the request (PEM) for a city's signing or transport certificate. */
export async function newKey(city: string, use: 'signing' | 'transport'): Promise<{ key: string; request: string }> {
  const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: `CN=${city} ${use}`,
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(use === 'signing' ? [SIGNING] : [...TRANSPORT]),
      new SubjectAlternativeNameExtension([{ type: 'url', value: `xinqiao://${city}.city` }]),
    ],
  })
  return {
    key: KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString(),
    request: `${request.toString('pem')}\n`,
  }
}
