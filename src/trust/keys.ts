/** Our own keys: read once, from files only we can read, and held to the certificates that the federation knows us by. */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Fault } from '#protocol/fault.ts'
import { Refusal } from '#protocol/refusal.ts'
import { TRANSPORT } from './certificate.ts'
import { compact, type Header } from './jws.ts'
import { keyId, type Member, type MemberKey, type Members, proveKey, provePath, type Transport } from './members.ts'

/** The port through which everything is signed; a hardware module takes its place here. */
export type Signer = (typ: string, payload: string) => { token: string; signingInput: string }

export type Keys = {
  readonly signer: Signer
  readonly signing: MemberKey
  /** For TLS: another key than the signing key, and its certificate with issuers. */
  readonly transport: Transport & { readonly keyPem: string }
}

const MAKE = 'xinqiao keys new'

/**
 * Reads `signing.pem` and `transport.pem` (PKCS #8) from the folder of private keys. Faults: a file that others may
 * read, a key that is not the one in our certificate, a certificate that does not lead to the root today.
 */
export async function readKeys(
  folder: string,
  us: Member,
  members: Members,
  now: number,
  faults: Fault[],
): Promise<Keys | undefined> {
  const signingKey = readPrivate(folder, 'signing.pem', faults)
  const transportKey = readPrivate(folder, 'transport.pem', faults)
  if (signingKey === undefined || transportKey === undefined) return undefined
  const signing = us.keys.get(await keyId(createPublicKey(signingKey)))
  const transport = us.transport.find(({ pem }) => new X509Certificate(pem).checkPrivateKey(transportKey))
  const fault = (file: string, problem: string, remedy: string) => faults.push({ file, path: '', problem, remedy })
  if (signing === undefined)
    fault('signing.pem', 'no signing certificate of ours has this key', `name its certificate in members/${us.id}.json`)
  if (transport === undefined)
    fault(
      'transport.pem',
      'no transport certificate of ours has this key',
      `name its certificate in members/${us.id}.json`,
    )
  if (signing === undefined || transport === undefined) return undefined
  const usable = (prove: () => void) => {
    try {
      prove()
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      fault('certs', error.message, 'have the certificate renewed, or load the current revocation lists')
    }
  }
  usable(() => proveKey(us, signing, members.anchors, now))
  usable(() => provePath(us.id, transport.chain, members.anchors, now, TRANSPORT, transport.file))
  return {
    signer: signerOf(signing, signingKey),
    signing,
    transport: { ...transport, keyPem: transportKey.export({ type: 'pkcs8', format: 'pem' }).toString() },
  }
}

/** The software signer; the private key does not leave this closure. */
export function signerOf(
  { alg, kid, thumbprint }: Pick<MemberKey, 'alg' | 'kid' | 'thumbprint'>,
  key: KeyObject,
): Signer {
  return (typ, payload) => {
    const header: Header = { alg, kid, typ, 'x5t#S256': thumbprint }
    return compact(header, payload, key)
  }
}

function readPrivate(folder: string, file: string, faults: Fault[]): KeyObject | undefined {
  const path = join(folder, file)
  if (!existsSync(path)) {
    faults.push({
      file,
      path: '',
      problem: 'there is no such key file',
      remedy: `mount the folder of private keys, or make one with \`${MAKE}\``,
    })
    return undefined
  }
  if ((statSync(path).mode & 0o077) !== 0) {
    faults.push({ file, path: '', problem: 'others may read the key', remedy: `chmod 600 ${file}` })
    return undefined
  }
  try {
    return createPrivateKey(readFileSync(path, 'utf8'))
  } catch {
    faults.push({ file, path: '', problem: 'not a private key in PKCS #8 PEM', remedy: `make one with \`${MAKE}\`` })
    return undefined
  }
}
