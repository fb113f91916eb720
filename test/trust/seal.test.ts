import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'
import fc from 'fast-check'
import { CompactEncrypt, type CompactJWEHeaderParameters, calculateJwkThumbprint, compactDecrypt } from 'jose'
import { describe, expect, it } from 'vitest'
import { limits, types } from '#protocol/message.ts'
import { Refusal } from '#protocol/refusal.ts'
import { compact, readJws } from '#trust/jws.ts'
import {
  decrypt,
  jwkOf,
  type Kind,
  newEncryptionKey,
  type Opener,
  openerOf,
  readEncryptionJwk,
  SEALED,
  seal,
  sealedLength,
  unseal,
} from '#trust/seal.ts'

const curves = ['P-256', 'X25519'] as const
const id = 'A'.repeat(43)
const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const signed = (payload: string, typ: Kind = types.query) =>
  compact({ alg: 'ES256', kid: id, typ, 'x5t#S256': id }, payload, signing.privateKey).token
const token = signed('{"iss":"huizhou"}')

function city(curve: (typeof curves)[number] = 'P-256') {
  const { key, jwk } = newEncryptionKey(curve)
  const opener = openerOf(createPrivateKey(key))
  return { jwk, opener, to: readEncryptionJwk(jwk), ours: new Map([[opener.kid, opener]]) }
}
const receiver = { 'P-256': city('P-256'), X25519: city('X25519') }
const { to, opener, ours } = receiver['P-256']
const sealed = await seal(token, types.query, to)

async function refusalOf(work: () => unknown): Promise<string> {
  try {
    await work()
  } catch (error) {
    if (error instanceof Refusal) return `${error.code}${error.detail === undefined ? '' : `: ${error.detail}`}`
    throw error
  }
  return 'none'
}
const opening = (text: string, inner: Kind = types.query, keys: ReadonlyMap<string, Opener> = ours) =>
  refusalOf(() => unseal(text, inner, keys))

/** The agreed header, for others to depart from; `epk` comes with the encryption. */
const agreed = { alg: 'ECDH-ES', enc: 'A256GCM', kid: to.kid, cty: types.query, typ: SEALED }

/** What another writer could send: properly encrypted for us, under any header. */
function sealedAs(header: object, plaintext = token, key: KeyObject = to.key): Promise<string> {
  const given: CompactJWEHeaderParameters = { ...agreed, ...header }
  return new CompactEncrypt(Buffer.from(plaintext)).setProtectedHeader(given).encrypt(key)
}

const encode = (text: string) => Buffer.from(text).toString('base64url')
const [head = '', , iv = '', ciphertext = '', tag = ''] = sealed.split('.')
const header: Readonly<Record<string, unknown>> = JSON.parse(Buffer.from(head, 'base64url').toString())
const withHeader = (text: string) => `${encode(text)}..${iv}.${ciphertext}.${tag}`
const withPoint = (epk: unknown) => withHeader(JSON.stringify({ ...header, epk }))

/** RFC 7518 section 4.6 and NIST SP 800-56A section 5.8.1, written for this test alone: a reader that shares nothing with ours. */
function concatKdf(secret: Buffer, algorithm: string, apu: string, apv: string, bits: number): Buffer {
  const number = (value: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value)
    return bytes
  }
  const counted = (text: string) => Buffer.concat([number(text.length), Buffer.from(text)])
  const parts = [number(1), secret, counted(algorithm), counted(apu), counted(apv), number(bits)]
  return createHash('sha256')
    .update(Buffer.concat(parts))
    .digest()
    .subarray(0, bits / 8)
}

describe('another reader', () => {
  it('derives the key of RFC 7518 appendix C', () => {
    const alice = {
      kty: 'EC',
      crv: 'P-256',
      x: 'gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0',
      y: 'SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps',
      d: '0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo',
    }
    const bob = {
      kty: 'EC',
      crv: 'P-256',
      x: 'weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ',
      y: 'e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck',
    }
    const secret = diffieHellman({
      privateKey: createPrivateKey({ key: alice, format: 'jwk' }),
      publicKey: createPublicKey({ key: bob, format: 'jwk' }),
    })
    expect(concatKdf(secret, 'A128GCM', 'Alice', 'Bob', 128).toString('base64url')).toBe('VqqN6vgjbSBcIijNcacQGg')
  })

  it.each(curves)('that knows only the RFCs opens what we seal for %s', async curve => {
    const { to, opener } = receiver[curve]
    const [head = '', empty, iv = '', ciphertext = '', tag = ''] = (await seal(token, types.query, to)).split('.')
    const { epk, ...rest } = JSON.parse(Buffer.from(head, 'base64url').toString())
    expect(rest).toEqual({ ...agreed, kid: to.kid })
    expect(empty).toBe('')
    const publicKey = createPublicKey({ key: epk, format: 'jwk' })
    const secret = diffieHellman({ privateKey: opener.key, publicKey })
    const key = concatKdf(secret, 'A256GCM', '', '', 256)
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64url'))
    decipher.setAAD(Buffer.from(head)).setAuthTag(Buffer.from(tag, 'base64url'))
    const text = Buffer.concat([decipher.update(Buffer.from(ciphertext, 'base64url')), decipher.final()])
    expect(text.toString()).toBe(token)
  })
})

describe('a sealed message', () => {
  it.each(curves)('for %s opens to the same signed message, whatever it says', async curve => {
    const { to, ours } = receiver[curve]
    const kinds = fc.constantFrom(...Object.values(types))
    await fc.assert(
      fc.asyncProperty(fc.json(), kinds, async (payload, typ) => {
        const token = signed(payload, typ)
        const text = await seal(token, typ, to)
        expect(text.length).toBeLessThanOrEqual(sealedLength(token.length))
        const inside = await unseal(text, typ, ours)
        expect(inside).toBe(token)
        expect(readJws(inside, typ).payload).toBe(encode(payload))
      }),
      { numRuns: 50 },
    )
  })

  it('is another text each time', async () => {
    expect(await seal(token, types.query, to)).not.toBe(sealed)
  })

  it('of which one character was changed, dropped, added or put elsewhere is refused, wherever it stands', async () => {
    const signs = fc.constantFrom(...'ABCDghij0189-_.=+/ \n\0é')
    const changes = fc.constantFrom('changed', 'dropped', 'added', 'swapped')
    await fc.assert(
      fc.asyncProperty(fc.nat(), signs, changes, async (place, sign, change) => {
        const at = place % sealed.length
        const after = sealed.slice(at + (change === 'added' ? 0 : 1))
        const put = change === 'dropped' ? '' : change === 'swapped' ? after.charAt(0) + sealed.charAt(at) : sign
        const changed = sealed.slice(0, at) + put + (change === 'swapped' ? after.slice(1) : after)
        fc.pre(changed !== sealed)
        expect(await opening(changed)).not.toBe('none')
      }),
      { numRuns: 2000 },
    )
  })

  it.each(curves)('for %s is refused by every other key, though it go by the same name', async curve => {
    const text = await seal(token, types.query, receiver[curve].to)
    const { kid } = receiver[curve].opener
    for (const other of curves) {
      const { opener } = city(other)
      expect(await opening(text, types.query, new Map([[opener.kid, opener]]))).toBe(
        'token.sealed: no such key of ours',
      )
      const why = other === curve ? 'does not open' : 'epk of another curve than the key'
      expect(await opening(text, types.query, new Map([[kid, opener]]))).toBe(`token.sealed: ${why}`)
    }
  })

  it('opens with each of our keys, the old one as the new one', async () => {
    const keys = new Map(curves.map(curve => [receiver[curve].opener.kid, receiver[curve].opener]))
    for (const curve of curves) {
      expect(await opening(await seal(token, types.query, receiver[curve].to), types.query, keys)).toBe('none')
    }
  })

  it.each([types.answer, types.refusal])('of a question is not taken for a %s', async kind => {
    expect(await opening(sealed, kind)).toBe(`token.type: sealed as ${types.query}`)
  })

  it('that holds a message of another kind than it says is refused by the signature’s own header', async () => {
    const inside = await unseal(await sealedAs({ cty: types.answer }), types.answer, ours)
    expect(await refusalOf(() => readJws(inside, types.answer))).toBe('token.type')
  })

  it.each([
    ['claims without a signature', '{"iss":"huizhou","aud":"jiangyin"}'],
    ['two parts', 'e30.e30'],
    ['a token with its payload taken out', token.replace(/\.[^.]+\./, '..')],
    ['a token with an empty signature', `${token.slice(0, token.lastIndexOf('.'))}.`],
    ['a token and a line feed', `${token}\n`],
    ['two tokens', `${token}${token}`],
    ['a further sealed message', sealed],
  ])('around %s is refused, however well it is encrypted', async (_, plaintext) => {
    expect(await opening(await sealedAs({}, plaintext))).toBe('token.sealed: what is inside is not a signed message')
  })

  it('around a compressed message is refused', async () => {
    expect(await opening(await sealedAs({ zip: 'DEF' }))).toBe('token.sealed: header:  unrecognized_keys')
    const deflated = await new CompactEncrypt(Buffer.from(token))
      .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', zip: 'DEF' })
      .encrypt(to.key)
    expect((await compactDecrypt(deflated, opener.key)).plaintext).toEqual(new Uint8Array(Buffer.from(token)))
    expect(await refusalOf(() => decrypt(deflated, opener.key))).toBe('token.sealed: does not open')
  })

  it.each(['zip', 'apu', 'apv', 'crit', 'jku', 'x5u', 'jwk', 'x5c', 'x5t#S256', 'p2c', 'iv', 'iss', 'constructor'])(
    'whose header holds %s is refused',
    async member => {
      const text = withHeader(JSON.stringify({ ...header, [member]: 'https://elsewhere.example/' }))
      expect(await opening(text)).toBe('token.sealed: header:  unrecognized_keys')
    },
  )

  it.each(['alg', 'enc', 'kid', 'cty', 'typ', 'epk'])('whose header lacks %s is refused', async member => {
    const { [member]: _, ...rest } = header
    expect(await opening(withHeader(JSON.stringify(rest)))).toMatch(`token.sealed: header: ${member}`)
  })

  it.each([
    ['key wrapping', { alg: 'ECDH-ES+A256KW' }, 'form.compact'],
    ['128 bits', { enc: 'A128GCM' }, 'token.sealed: header: enc'],
    ['CBC', { enc: 'A256CBC-HS512' }, 'token.sealed'],
    ['the type in capitals', { typ: 'CREDIT-SEALED+JWT' }, 'token.sealed: header: typ'],
    ['the type of a plain message', { typ: types.query }, 'token.sealed: header: typ'],
    ['a content type that is no message', { cty: 'JWT' }, 'token.sealed: header: cty'],
    ['a path for kid', { kid: '../../etc/passwd' }, 'token.sealed: header: kid'],
  ])('made with %s is refused, though it could be opened', async (_, header, code) => {
    expect(await opening(await sealedAs(header))).toMatch(code)
  })

  it.each([
    ['RSA-OAEP-256', 'token.sealed: header: alg'],
    ['dir', 'token.sealed: header: alg'],
    ['none', 'token.sealed: header: alg'],
    ['constructor', 'token.sealed: header: alg'],
  ])('whose algorithm is %s is refused', async (alg, code) => {
    expect(await opening(withHeader(JSON.stringify({ ...header, alg })))).toMatch(code)
  })

  it('with a header member twice is refused, whichever of the two a reader would take', async () => {
    expect(await opening(withHeader(`{"enc":"A128GCM",${JSON.stringify(header).slice(1)}`))).toBe('form.duplicate')
    const twice = JSON.stringify(header).replace('"crv":', '"crv":"X25519","crv":')
    expect(await opening(withHeader(twice))).toBe('form.duplicate')
  })

  it.each([
    ['of three parts', `${head}.${ciphertext}.${tag}`, 'form.compact'],
    ['of six parts', `${sealed}.${tag}`, 'form.compact'],
    ['that is only signed', token, 'form.compact'],
    ['in JSON', JSON.stringify({ protected: head, iv, ciphertext, tag }), 'form.compact'],
    ['with an encrypted key', `${head}.${tag}.${iv}.${ciphertext}.${tag}`, 'form.compact'],
    ['without a header', `..${iv}.${ciphertext}.${tag}`, 'form.compact'],
    ['without an initialisation vector', `${head}...${ciphertext}.${tag}`, 'form.compact'],
    ['without content', `${head}..${iv}..${tag}`, 'form.compact'],
    ['without a tag', `${head}..${iv}.${ciphertext}.`, 'form.compact'],
    ['that is empty', '', 'form.compact'],
    ['with a line feed at its end', `${sealed}\n`, 'form.base64'],
    ['with padding', `${sealed}==`, 'form.base64'],
    ['in standard base64', `${head}..${iv}.${ciphertext}.${tag.slice(0, -1)}+`, 'form.base64'],
    ['with unused bits set', `${head}..${iv}.${ciphertext}.${tag.slice(0, -1)}B`, 'form.base64'],
    ['with a part of impossible length', `${head}..${iv}A.${ciphertext}.${tag}`, 'form.base64'],
    ['with a tag of 12 bytes', `${head}..${iv}.${ciphertext}.${tag.slice(0, 16)}`, 'token.sealed: authentication tag'],
    ['with a tag of 4 bytes', `${head}..${iv}.${ciphertext}.AAAAAA`, 'token.sealed: authentication tag'],
    ['with a vector of 16 bytes', `${head}..${tag}.${ciphertext}.${tag}`, 'token.sealed: initialisation vector'],
    ['with a vector of 9 bytes', `${head}..${iv.slice(4)}.${ciphertext}.${tag}`, 'token.sealed: init'],
    ['whose header is no object', withHeader('[]'), 'form.json'],
    ['whose header is not UTF-8', `_____w..${iv}.${ciphertext}.${tag}`, 'form.json'],
    ['whose header is padded with spaces', withHeader(JSON.stringify(header) + ' '.repeat(200)), 'form.size: header'],
  ])('%s is refused', async (_, text, code) => {
    expect(await opening(text)).toMatch(code)
  })

  it('is at most as long as the message inside may be', async () => {
    const question = (length: number) => `${token.slice(0, -86)}${'A'.repeat(length - token.length)}${token.slice(-86)}`
    const longest = await seal(question(limits.queryBytes), types.query, to)
    expect(await opening(longest)).toBe('none')
    expect(await opening(await seal(question(limits.queryBytes + 1), types.query, to))).toBe(
      'form.size: what is inside',
    )
    expect(await opening(`${longest}${'A'.repeat(sealedLength(limits.queryBytes) - longest.length + 1)}`)).toMatch(
      'form.size',
    )
    const answer = await seal(question(limits.answerBytes), types.answer, to)
    expect(await opening(answer, types.answer)).toBe('none')
    expect(await opening(answer, types.query)).toBe('form.size: sealed')
  })
})

/** Not on P-256, or no field elements at all. */
const { x, y } = receiver['P-256'].jwk.crv === 'P-256' ? receiver['P-256'].jwk : { x: '', y: '' }
const number = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').toString('base64url')
const prime = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n
/** The root of b: the point of P-256 with x = 0. */
const rootOfB = 0x66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4n
const notOnTheCurve: readonly [string, { readonly x: string; readonly y: string }][] = [
  ['with its coordinates exchanged', { x: y, y: x }],
  ['with y of zero', { x, y: number(0n) }],
  ['of zeros', { x: number(0n), y: number(0n) }],
  ['with coordinates of the prime', { x: number(prime), y: number(prime) }],
  ['with x beyond the prime', { x: number(prime), y: number(rootOfB) }],
]

/** The points of small order, and their second names (RFC 7748 section 6.1): with each, every secret is zero. */
const smallOrder = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map(hex => Buffer.from(hex, 'hex').toString('base64url'))

describe('an ephemeral key', () => {
  it.each(notOnTheCurve)('%s is refused before our key is used', async (_, point) => {
    expect(await opening(withPoint({ kty: 'EC', crv: 'P-256', ...point }))).toBe(
      'token.sealed: epk is no point of its curve',
    )
  })

  it('of two coordinates that chance made is refused', async () => {
    const coordinate = fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map(bytes => Buffer.from(bytes).toString('base64url'))
    await fc.assert(
      fc.asyncProperty(coordinate, coordinate, async (x, y) => {
        expect(await opening(withPoint({ kty: 'EC', crv: 'P-256', x, y }))).toBe(
          'token.sealed: epk is no point of its curve',
        )
      }),
    )
  })

  it.each(smallOrder)('of X25519 that gives the secret zero opens nothing (%s)', async x => {
    const { opener, ours } = receiver.X25519
    // What an attacker would send: the secret being zero, anybody knows the key that comes of it.
    const head = encode(JSON.stringify({ ...header, kid: opener.kid, epk: { kty: 'OKP', crv: 'X25519', x } }))
    const cipher = createCipheriv('aes-256-gcm', concatKdf(Buffer.alloc(32), 'A256GCM', '', '', 256), Buffer.alloc(12))
    cipher.setAAD(Buffer.from(head))
    const text = Buffer.concat([cipher.update(token), cipher.final()]).toString('base64url')
    const forged = `${head}..${'A'.repeat(16)}.${text}.${cipher.getAuthTag().toString('base64url')}`
    expect(await opening(forged, types.query, ours)).toBe('token.sealed: does not open')
  })

  it.each([
    ['with a private part', { d: 'AAAA' }],
    ['with a kid', { kid: 'x' }],
    ['with a use', { use: 'enc' }],
    ['of another curve', { crv: 'P-384' }],
    ['of the curve for signatures', { kty: 'OKP', crv: 'Ed25519' }],
    ['of another type than its curve', { kty: 'OKP' }],
    ['with a short coordinate', { x: 'AAAA' }],
    ['with a coordinate of 33 bytes', { x: 'A'.repeat(44) }],
    ['with a coordinate that is not canonical', { x: `${'A'.repeat(42)}B` }],
    ['with a number for a coordinate', { x: 1 }],
    ['without a coordinate', { y: undefined }],
  ])('%s is refused', async (_, members) => {
    const epk = { ...Object(header['epk']), ...members }
    expect(await opening(withPoint(epk))).toMatch(/^token.sealed: header: epk/)
  })
})

describe('an encryption key', () => {
  it.each(curves)('on %s is published under its thumbprint, by which we open', async curve => {
    const { jwk, opener, to } = receiver[curve]
    expect(to.kid).toBe(await calculateJwkThumbprint(jwk))
    expect(opener).toMatchObject({ kid: to.kid, curve })
    expect(jwkOf(opener.key)).toEqual(jwk)
    expect(Object.keys(jwk).sort()).toEqual([
      'alg',
      'crv',
      'kid',
      'kty',
      'use',
      'x',
      ...(curve === 'P-256' ? ['y'] : []),
    ])
  })

  const { jwk } = receiver['P-256']
  const reading = (value: unknown) => refusalOf(() => readEncryptionJwk(value))

  it.each([
    ['with its private half', { d: 'A'.repeat(43) }],
    ['for signatures', { use: 'sig' }],
    ['without a use', { use: undefined }],
    ['for another algorithm', { alg: 'ECDH-ES+A256KW' }],
    ['without an algorithm', { alg: undefined }],
    ['with a certificate', { x5c: [] }],
    ['with operations', { key_ops: ['deriveBits'] }],
    ['of another curve', { crv: 'P-384' }],
    ['under another name', { kid: 'A'.repeat(43) }],
    ['without a name', { kid: undefined }],
  ])('%s is not read', async (_, members) => {
    expect(await reading({ ...jwk, ...members })).toMatch('token.claims: encryption key')
  })

  it.each([undefined, null, 'x', [], {}])('that is %j is not read', async value => {
    expect(await reading(value)).toMatch('token.claims: encryption key')
  })

  it.each(notOnTheCurve)('%s is not read', async (_, point) => {
    const off = { kty: 'EC', crv: 'P-256', ...point }
    const kid = await calculateJwkThumbprint(off)
    expect(await reading({ ...off, kid, use: 'enc', alg: 'ECDH-ES' })).toBe(
      'token.claims: encryption key: no point for a secret',
    )
  })

  it.each(smallOrder)('of X25519 with which every secret is zero is not read (%s)', async x => {
    const weak = { kty: 'OKP', crv: 'X25519', x }
    const kid = await calculateJwkThumbprint(weak)
    expect(await reading({ ...weak, kid, use: 'enc', alg: 'ECDH-ES' })).toBe(
      'token.claims: encryption key: no point for a secret',
    )
  })

  it('of ours on another curve, or for signatures, is no key to open with', () => {
    expect(() => openerOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)).toThrow(TypeError)
    expect(() => openerOf(generateKeyPairSync('ed25519').privateKey)).toThrow(TypeError)
    expect(() => jwkOf(generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey)).toThrow(TypeError)
  })
})
