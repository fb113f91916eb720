/** One message of every kind that crosses between two real gateways, and the reader that each of them meets. */
import {
  createCipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
  type KeyObject,
  randomBytes,
  sign as signBytes,
} from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Agreement, checkSignature } from '#agreement/agreement.ts'
import { canonical, sha256 } from '#protocol/canonical.ts'
import { types } from '#protocol/message.ts'
import { newEncryptionKey, type Opener, openerOf, SEALED } from '#trust/seal.ts'
import { readConfiguration, readRoll } from '#trust/statement.ts'
import { type Verifier, verify, verifyAnswer, verifyRefusal } from '#trust/verify.ts'
import { signRoll } from '../../src/office.ts'
import { makeCrl, makeMember, makeRoot } from '../certificates.ts'
import { agreementId, claimsIn, runFederation } from '../federation.ts'

/** A kind of message, one that holds, and the way it is read. */
export type Kind = {
  readonly name: string
  /** A message as it was sent, which its reader accepts. */
  readonly original: string
  /** Whether a second copy of the original is refused: what is left of it then is nothing that could be accepted. */
  readonly once: boolean
  /** Whether it is signed with ES256: then there is a second signature that holds for it. */
  readonly twinned: boolean
  /** Reads a message as our side does; gives its claims, or throws. `first`: nothing of this kind was seen before. */
  read(text: string, first: boolean): unknown
  /** What the claims say that `read` gives of them, where that is not all. */
  said?(claims: unknown): unknown
  /** Signs a header and claims, whatever they say, with the key that the original was signed with. */
  sign(header: string, payload: string): string
}

/**
 * Messages of every kind between two real gateways, and readers with their real keys and certificates. A new kind of
 * message is one more entry of the list at the end.
 */
export async function messages(): Promise<readonly Kind[]> {
  await using running = await runFederation()
  const now = Date.now()
  const file = (...path: string[]) => readFileSync(join(running.federation.folder, ...path), 'utf8')
  const keyOf = (city: string) => createPrivateKey(file('keys', city, 'signing.pem'))
  const huizhou = await running.identity('huizhou')
  const { token } = huizhou.keys.signer(types.query, JSON.stringify(running.claims('huizhou', 'jiangyin')))
  const denied = huizhou.keys.signer(
    types.query,
    JSON.stringify(running.claims('huizhou', 'jiangyin', { purpose: 'awards' })),
  ).token
  const answer = await running.post('huizhou', 'jiangyin', token)
  const refusal = await running.post('huizhou', 'jiangyin', denied)
  const { text: statement } = await running.get('huizhou', 'jiangyin', '/.well-known/openid-federation')
  const text: Agreement = JSON.parse(file('federation-config', 'agreements', `${agreementId}.json`))
  const detached = file('federation-config', 'agreements', `${agreementId}.jiangyin.jws`).trimEnd()
  const jiangyinKey = keyOf('jiangyin')
  const huizhouKey = keyOf('huizhou')

  const opener = openerOf(createPrivateKey(newEncryptionKey().key))
  const openers = new Map([[opener.kid, opener]])
  const us = (id: string, { members }: Pick<Verifier, 'members'>, seen: boolean): Verifier => ({
    id,
    members,
    now: () => now,
    seen: () => seen,
    openers: () => openers,
    acquaint: async () => undefined,
  })
  const questionOf = (name: string, original: string, identity: Pick<Verifier, 'members'>, key: KeyObject): Kind => ({
    name,
    original,
    once: true,
    twinned: key.asymmetricKeyType === 'ec',
    read: async (text, first) =>
      (await verify({ token: text, sealed: false, city: 'huizhou' }, us('jiangyin', identity, !first))).claims,
    sign: signerOf(key),
  })
  const asked = (question: string) => ({
    jti: String(claimsIn(question)['jti']),
    hash: sha256(question.slice(0, question.lastIndexOf('.'))),
    peer: 'jiangyin',
    sealed: false,
  })
  const atHome = us('huizhou', huizhou, false)
  const edwards = await withEd25519(running)
  const edwardsQuestion = edwards.keys.signer(types.query, JSON.stringify(running.claims('huizhou', 'jiangyin'))).token
  return [
    questionOf('question', token, huizhou, huizhouKey),
    questionOf('question, Ed25519', edwardsQuestion, edwards, keyOf('huizhou')),
    {
      name: 'answer',
      original: answer.text,
      once: false,
      twinned: true,
      read: async text => (await verifyAnswer(text, asked(token), atHome)).claims,
      sign: signerOf(jiangyinKey),
    },
    {
      name: 'refusal',
      original: refusal.text,
      once: false,
      twinned: true,
      read: async text => (await verifyRefusal(text, asked(denied), atHome)).claims,
      sign: signerOf(jiangyinKey),
    },
    {
      name: 'agreement signature',
      original: detached,
      once: false,
      twinned: true,
      read: each => {
        checkSignature(text, 'jiangyin', `${each}\n`, huizhou.members, now)
        return text
      },
      // What is signed is the agreement itself; claims that come with the signature are nothing.
      sign: header => {
        const [protectedHeader, , signature] = signerOf(jiangyinKey)(header, canonical(text)).split('.')
        return `${protectedHeader}..${signature}`
      },
    },
    {
      name: 'statement of a city',
      original: statement,
      once: false,
      twinned: true,
      read: async each => {
        const read = await readConfiguration(each, 'jiangyin', huizhou.members.anchors, now)
        return described(claimsIn(each), read)
      },
      said: claims => described(claims),
      sign: signerOf(jiangyinKey),
    },
    {
      name: 'roll',
      original: huizhou.members.roll.bundle.roll,
      once: false,
      twinned: true,
      read: async each => {
        const { number, rules } = await readRoll(
          { ...huizhou.members.roll.bundle, roll: each },
          huizhou.members.anchors,
          now,
        )
        return { number, rules }
      },
      said: claims => {
        const { number, rules } = Object(claims).metadata.xinqiao_federation
        return { number, rules }
      },
      sign: signerOf(createPrivateKey(file('keys', 'office', 'office.pem'))),
    },
    {
      name: 'sealed question',
      once: true,
      twinned: false,
      read: async (each, first) =>
        (await verify({ token: each, sealed: true, city: 'huizhou' }, us('jiangyin', huizhou, !first))).claims,
      // Whoever encrypts signs nothing, and may say in the header whatever it likes: the question inside stays what it was.
      said: () => claimsIn(token),
      ...sealedWith(opener, token),
    },
  ]
}

/** What a city says of itself, as the statement has it, or as it was read. */
function described(claims: unknown, read?: Awaited<ReturnType<typeof readConfiguration>>) {
  const { iat, metadata, roll } = Object(claims)
  const { name, divisions, endpoint } = read?.described ?? metadata.xinqiao_gateway
  return { name, divisions, endpoint, made: read?.made ?? iat * 1000, roll: read?.roll ?? roll }
}

/**
 * A message encrypted by hand (RFC 7516, ECDH-ES of RFC 7518 section 4.6 with A256GCM), and a way to encrypt it under any
 * header, though it be one that no library would write.
 */
function sealedWith({ key: ours, kid }: Opener, token: string): Pick<Kind, 'original' | 'sign'> {
  const ephemeral = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: createPublicKey(ours) })
  // NIST SP 800-56A, one round: the counter, the secret, the algorithm with its length, no apu, no apv, 256 bits.
  const about = Buffer.from(`\0\0\0\x07A256GCM${'\0'.repeat(8)}\0\0\x01\0`, 'latin1')
  const key = hash('sha256', Buffer.concat([Buffer.from([0, 0, 0, 1]), secret, about]), 'buffer')
  const sign = (header: string) => {
    const protectedHeader = Buffer.from(header).toString('base64url')
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(protectedHeader))
    const text = Buffer.concat([cipher.update(token), cipher.final()])
    return `${protectedHeader}..${[iv, text, cipher.getAuthTag()].map(each => each.toString('base64url')).join('.')}`
  }
  const epk = ephemeral.publicKey.export({ format: 'jwk' })
  const header = { alg: 'ECDH-ES', enc: 'A256GCM', kid, cty: types.query, typ: SEALED, epk }
  return { original: sign(JSON.stringify(header)), sign }
}

/** The same federation as Jiangyin sees it, once Huizhou signs with an Ed25519 key. */
async function withEd25519(running: Awaited<ReturnType<typeof runFederation>>) {
  const root = await makeRoot()
  const { certificate, key } = await makeMember({ city: 'huizhou', keyKind: 'Ed25519', issuer: root })
  const at = (...path: string[]) => join(running.federation.folder, ...path)
  writeFileSync(at('certs', 'huizhou-signing.pem'), certificate)
  writeFileSync(at('certs', 'root.pem'), `${readFileSync(at('certs', 'root.pem'), 'utf8')}\n${root.certificate}`)
  writeFileSync(at('certs', 'crls', 'edwards.pem'), await makeCrl({ issuer: root }))
  writeFileSync(at('keys', 'huizhou', 'signing.pem'), key, { mode: 0o600 })
  await signRoll(running.federation.office, 30, Date.now())
  return running.identity('huizhou')
}

function signerOf(key: KeyObject): Kind['sign'] {
  return (header, payload) => {
    const input = `${Buffer.from(header).toString('base64url')}.${Buffer.from(payload).toString('base64url')}`
    const hash = key.asymmetricKeyType === 'ed25519' ? null : 'sha256'
    const signature = signBytes(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
    return `${input}.${signature.toString('base64url')}`
  }
}
