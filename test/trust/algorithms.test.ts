import { spawnSync } from 'node:child_process'
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { calculateJwkThumbprint, compactVerify, exportJWK } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { Refusal } from '#protocol/refusal.ts'
import {
  crlStore,
  readCertificate,
  readCrls,
  SIGNING,
  STATEMENTS,
  TRANSPORT,
  validatePath,
} from '#trust/certificate.ts'
import { elementsOf, Malformed, onlyElement, SEQUENCE } from '#trust/der.ts'
import { readJwk } from '#trust/jwk.ts'
import {
  type Algorithm,
  algorithmOf,
  algorithms,
  compact,
  defaultAlgorithms,
  type Header,
  keyId,
  proves,
  publicJwk,
  readJws,
} from '#trust/jws.ts'
import { newKey, requestedKey, requestFor } from '#trust/request.ts'
import { signSm2, sm2Key, sm2Point, verifySm2 } from '#trust/sm2.ts'
import { element, integer, type Made, makeCrl, makeIssuer, makeMember, makeRoot, resign } from '../certificates.ts'

type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject }

/** A key as the gateway has it: made by `newKey`, written to a file as PEM, and read from there. */
function pairOf(alg: Algorithm): Pair {
  const { key, request } = newKey('hangzhou', 'signing', alg)
  return { privateKey: createPrivateKey(key), publicKey: requestedKey(request) }
}

const pairs = new Map(algorithms.map(alg => [alg, pairOf(alg)]))
const pair = (alg: Algorithm) => pairs.get(alg) ?? pairOf(alg)
const headerOf = (alg: Algorithm, key: KeyObject): Header => ({
  alg,
  kid: keyId(key),
  typ: 'credit-query+jwt',
  'x5t#S256': 'A'.repeat(43),
})
const signed = (alg: Algorithm, { publicKey, privateKey } = pair(alg)) =>
  compact(headerOf(alg, publicKey), '{"a":1}', privateKey).token

function refusalOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
  return 'none'
}

describe('the registry of algorithms', () => {
  it('has four, of which two are in use unless the federation’s rules name others', () => {
    expect(algorithms).toEqual(['ES256', 'Ed25519', 'ML-DSA-65', 'SGD_SM3_SM2'])
    expect([...defaultAlgorithms]).toEqual(['ES256', 'Ed25519'])
  })

  it.each(algorithms)('signs and proves with %s, by a key read from PKCS #8', alg => {
    const { publicKey } = pair(alg)
    expect(algorithmOf(publicKey)).toBe(alg)
    expect(proves(readJws(signed(alg), 'credit-query+jwt'), publicKey)).toBe(true)
    expect(proves(readJws(signed(alg), 'credit-query+jwt'), pairOf(alg).publicKey)).toBe(false)
  })

  it.each(['ES256', 'Ed25519', 'ML-DSA-65'] as const)(
    'signs with %s what another implementation verifies',
    async alg => {
      const key = await exportJWK(pair(alg).publicKey)
      expect((await compactVerify(signed(alg), { ...key, alg })).protectedHeader.alg).toBe(alg)
    },
  )

  it.each(algorithms)('takes a signature of %s in its exact length alone', alg => {
    const [head, payload, signature = ''] = signed(alg).split('.')
    const bytes = Buffer.from(signature, 'base64url')
    expect(bytes).toHaveLength(alg === 'ML-DSA-65' ? 3309 : 64)
    for (const wrong of [bytes.subarray(1), bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.of(0)])]) {
      const token = `${head}.${payload}.${wrong.toString('base64url')}`
      expect(refusalOf(() => readJws(token, 'credit-query+jwt'))).toBe('token.signature')
    }
  })

  it.each(algorithms)('proves nothing by a signature of %s in which one bit was changed', alg => {
    const token = signed(alg)
    const { signature, ...rest } = readJws(token, 'credit-query+jwt')
    fc.assert(
      fc.property(fc.nat(signature.length * 8 - 1), bit => {
        const changed = Buffer.from(signature)
        changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
        expect(proves({ ...rest, signature: changed }, pair(alg).publicKey)).toBe(false)
      }),
      { numRuns: 50 },
    )
  })

  it('uses a key with its one algorithm, whatever a header says', () => {
    for (const alg of algorithms) {
      const { header, ...rest } = readJws(signed(alg), 'credit-query+jwt')
      for (const other of algorithms.filter(each => each !== alg)) {
        const { publicKey, privateKey } = pair(other)
        expect(proves({ header, ...rest }, publicKey)).toBe(false)
        expect(proves({ header: { ...header, alg: other }, ...rest }, pair(alg).publicKey)).toBe(false)
        expect(() => compact(headerOf(alg, publicKey), '{}', privateKey)).toThrow(TypeError)
      }
    }
  })

  it.each([
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 3072 })],
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['Ed448', () => generateKeyPairSync('ed448')],
    ['X25519', () => generateKeyPairSync('x25519')],
    ['ML-DSA-44', () => generateKeyPairSync('ml-dsa-44')],
  ])('has no algorithm for a key of kind %s', (_, make) => {
    expect(algorithmOf(make().publicKey)).toBeUndefined()
  })
})

describe('the id of a key', () => {
  it.each(['ES256', 'Ed25519', 'ML-DSA-65'] as const)(
    'of %s is its RFC 7638 thumbprint, as jose computes it',
    async alg => {
      const { publicKey, privateKey } = pair(alg)
      const expected = await calculateJwkThumbprint(await exportJWK(publicKey))
      expect([keyId(publicKey), keyId(privateKey)]).toEqual([expected, expected])
    },
  )

  it('of SM2 is the thumbprint of the members that draft-dang-webauthn-sm2 gives it', async () => {
    const { publicKey } = pair('SGD_SM3_SM2')
    expect(publicJwk(publicKey)).toEqual({ kty: 'EC', crv: 'SM2', x: expect.any(String), y: expect.any(String) })
    expect(keyId(publicKey)).toBe(await calculateJwkThumbprint({ ...publicJwk(publicKey), kty: 'EC' }))
  })

  it.each([
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 3072 })],
    ['X25519', () => generateKeyPairSync('x25519')],
    ['ML-DSA-44', () => generateKeyPairSync('ml-dsa-44')],
  ])('of a key that signs no message is its thumbprint as well: %s', async (_, make) => {
    const { publicKey } = make()
    expect(keyId(publicKey)).toBe(await calculateJwkThumbprint(publicKey.export({ format: 'jwk' })))
  })

  it('is that of RFC 8037 appendix A.3 for the key there', () => {
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' },
      format: 'jwk',
    })
    expect(keyId(key)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  })
})

describe('a JSON Web Key', () => {
  const jwkOf = (alg: Algorithm) => ({ ...publicJwk(pair(alg).publicKey), alg })
  const reading = (jwk: unknown) => refusalOf(() => readJwk(jwk))

  it.each(algorithms)('of %s is read as the key it was written from', alg => {
    const read = readJwk({ ...jwkOf(alg), kid: keyId(pair(alg).publicKey), use: 'sig', key_ops: ['verify'] })
    expect(read.alg).toBe(alg)
    expect(keyId(read.key)).toBe(keyId(pair(alg).publicKey))
    expect(proves(readJws(signed(alg), 'credit-query+jwt'), read.key)).toBe(true)
  })

  it.each(algorithms)('of %s is refused when it is not for this', alg => {
    for (const wrong of [
      { use: 'enc' },
      { key_ops: ['sign'] },
      { key_ops: ['verify', 'sign'] },
      { key_ops: [] },
      { alg: 'none' },
      { alg: alg.toLowerCase() },
      { alg: algorithms.find(each => each !== alg) },
      { d: 'AAAA' },
      { priv: 'AAAA' },
      { k: 'AAAA' },
      { x5u: 'https://elsewhere.example/' },
      { kty: 'oct' },
      { kid: 1 },
    ]) {
      expect(reading({ ...jwkOf(alg), ...wrong }), JSON.stringify(wrong)).toBe('token.claims')
    }
  })

  it('of ML-DSA is refused without its algorithm, which is a part of it', () => {
    const { alg, ...rest } = jwkOf('ML-DSA-65')
    expect([reading(rest), reading({ ...rest, alg: 'ML-DSA-44' }), reading({ ...rest, alg })]).toEqual([
      'token.claims',
      'token.claims',
      'none',
    ])
  })

  it.each(['ES256', 'SGD_SM3_SM2'] as const)('of %s whose point is on no curve is refused', alg => {
    const { x = '', y = '', ...rest } = publicJwk(pair(alg).publicKey)
    expect(reading({ ...rest, x: y, y: x })).toBe('token.claims')
    expect(reading({ ...rest, x: 'A'.repeat(43), y: 'A'.repeat(43) })).toBe('token.claims')
    expect(reading({ ...rest, x: `${'_'.repeat(42)}8`, y })).toBe('token.claims')
  })

  it('of one curve is never taken for a key of another', () => {
    expect(reading({ ...publicJwk(pair('ES256').publicKey), crv: 'SM2' })).toBe('token.claims')
    expect(reading({ ...publicJwk(pair('SGD_SM3_SM2').publicKey), crv: 'P-256' })).toBe('token.claims')
    expect(reading({ ...publicJwk(generateKeyPairSync('x25519').publicKey) })).toBe('token.claims')
  })

  it.each([null, [], 'key', {}, { keys: [] }])('that is none is refused (%j)', value => {
    expect(reading(value)).toBe('token.claims')
  })

  it('in another text of the same bytes is refused', () => {
    const { x = '', ...rest } = publicJwk(pair('Ed25519').publicKey)
    const tail = 'AEIMQUYcgkosw048'.indexOf(x.slice(-1))
    const other = 'BFJNRVZdhlptx159'.charAt(tail)
    for (const text of [`${x.slice(0, -1)}${other}`, `${x}=`, `${x}A`, ` ${x}`]) {
      expect(reading({ ...rest, x: text })).toBe('token.claims')
    }
  })
})

describe('an Ed25519 key of small order, under which anyone could sign anything', () => {
  const p = (1n << 255n) - 19n
  const order8 = 55188659117513257062467267217118295137698188065244968500265048394206261417927n
  const encoded = (y: bigint, sign: bigint) =>
    Buffer.from((y | (sign << 255n)).toString(16).padStart(64, '0'), 'hex').reverse()
  const points = [0n, 1n, p - 1n, p, p + 1n, order8, p - order8].flatMap(y => [encoded(y, 0n), encoded(y, 1n)])
  const base = Buffer.from(`58${'66'.repeat(31)}`, 'hex')

  // The forger needs no key: s·B - h·A is s·B, or little else, whatever the message (RFC 8032 section 8.4 leaves it open).
  it.each(points.map(point => [point.toString('base64url')]))('verifies no signature that needs no key (%s)', x => {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    const forged = [
      ...points.map(point => Buffer.concat([point, encoded(0n, 0n)])),
      Buffer.concat([base, encoded(1n, 0n)]),
    ]
    const token = readJws(signed('Ed25519'), 'credit-query+jwt')
    for (const signature of forged) {
      for (let message = 0; message < 32; message++) {
        expect(proves({ ...token, signingInput: `${message}.`, signature }, key)).toBe(false)
      }
    }
  })
})

/** GB/T 32918.5-2017 appendix A.2 (GM/T 0003.5-2012 annex A): the recommended curve, the usual id. */
const published = {
  secret: '3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8',
  point:
    '09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020' +
    'ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13',
  message: Buffer.from('message digest'),
  signature:
    'f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3' +
    'b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa',
}

describe('SM2 with SM3', () => {
  const { publicKey, privateKey } = pair('SGD_SM3_SM2')
  const message = Buffer.from('查询')
  const order = 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n

  it('verifies the published signature, and no other message or key with it', () => {
    const key = sm2Key(Buffer.from(published.point, 'hex'))
    const signature = Buffer.from(published.signature, 'hex')
    expect(verifySm2(published.message, key, signature)).toBe(true)
    expect(verifySm2(Buffer.from('message digesT'), key, signature)).toBe(false)
    expect(verifySm2(published.message, publicKey, signature)).toBe(false)
  })

  it('signs with the published key what its public key verifies', () => {
    // RFC 5958 and RFC 5915: no public key inside, OpenSSL computes it.
    const inner = element(0x30, integer(1n), element(0x04, Buffer.from(published.secret, 'hex')))
    const curve = element(0x30, Buffer.from('06072a8648ce3d0201', 'hex'), Buffer.from('06082a811ccf5501822d', 'hex'))
    const der = Buffer.from(element(0x30, integer(0n), curve, element(0x04, inner)))
    const key = createPrivateKey({ key: der, type: 'pkcs8', format: 'der' })
    expect(sm2Point(key)?.toString('hex')).toBe(published.point)
    const signature = signSm2(published.message, key)
    expect(verifySm2(published.message, sm2Key(Buffer.from(published.point, 'hex')), signature)).toBe(true)
  })

  it('never signs twice with one number', () => {
    const seen = new Set(Array.from({ length: 20 }, () => signSm2(message, privateKey).subarray(0, 32).toString('hex')))
    expect(seen.size).toBe(20)
  })

  it('verifies any message that it signed, of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4096 }), bytes => {
        expect(verifySm2(bytes, publicKey, signSm2(bytes, privateKey))).toBe(true)
      }),
      { numRuns: 30 },
    )
  })

  it('takes r and s between 1 and n - 1 alone', () => {
    const good = signSm2(message, privateKey)
    const [r, s] = [good.subarray(0, 32), good.subarray(32)]
    const number = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex')
    const all = Buffer.alloc(32, 0xff)
    for (const wrong of [number(0n), number(order), number(order + 1n), all]) {
      expect(verifySm2(message, publicKey, Buffer.concat([wrong, s]))).toBe(false)
      expect(verifySm2(message, publicKey, Buffer.concat([r, wrong]))).toBe(false)
    }
    const opposite = number(order - BigInt(`0x${r.toString('hex')}`))
    expect(verifySm2(message, publicKey, Buffer.concat([r, opposite]))).toBe(false)
  })

  it('is not what node:crypto signs with the same key: an empty id from PEM, ECDSA from a generated one', () => {
    const generated = generateKeyPairSync('ec', { namedCurve: 'SM2' })
    const plain = sign('sm3', message, { key: generated.privateKey, dsaEncoding: 'ieee-p1363' })
    expect(verifySm2(message, generated.publicKey, plain)).toBe(false)
    const emptyId = rawOf(sign('sm3', message, privateKey))
    expect(verifySm2(message, publicKey, emptyId)).toBe(false)
    expect(verify('sm3', message, publicKey, sign('sm3', message, privateKey))).toBe(true)
    expect(verifySm2(message, generated.publicKey, signSm2(message, generated.privateKey))).toBe(true)
  })

  it.each(['ES256', 'Ed25519', 'ML-DSA-65'] as const)('has nothing to do with a key of %s', alg => {
    const other = pair(alg)
    expect(sm2Point(other.publicKey)).toBeUndefined()
    expect(() => signSm2(message, other.privateKey)).toThrow(TypeError)
    expect(() => verifySm2(message, other.publicKey, Buffer.alloc(64, 1))).toThrow(TypeError)
  })

  describe.skipIf(!hasSm2())('to the command of OpenSSL, with the same id', () => {
    const id = ['-digest', 'sm3', '-pkeyopt', 'distid:1234567812345678']

    it('is a signature like its own', () => {
      withFiles(({ run, file }) => {
        file('key.pem', publicKey.export({ type: 'spki', format: 'pem' }))
        file('message', message)
        file('signature', derOf(signSm2(message, privateKey)))
        const verifying = [
          '-verify',
          '-pubin',
          '-inkey',
          'key.pem',
          '-rawin',
          '-in',
          'message',
          '-sigfile',
          'signature',
        ]
        expect(run('pkeyutl', ...verifying, ...id).status).toBe(0)
        expect(run('pkeyutl', ...verifying, ...id.with(3, 'distid:8765432187654321')).status).not.toBe(0)
      })
    })

    it('is proved by us when it signed', () => {
      withFiles(({ run, file }) => {
        file('key.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }))
        file('message', message)
        const { stdout } = run('pkeyutl', '-sign', '-inkey', 'key.pem', '-rawin', '-in', 'message', ...id)
        expect(verifySm2(message, publicKey, rawOf(stdout))).toBe(true)
      })
    })
  })
})

function hasSm2(): boolean {
  return /\bSM2\b/.test(spawnSync('openssl', ['list', '-public-key-algorithms']).stdout?.toString() ?? '')
}

type Files = {
  readonly run: (...words: string[]) => { readonly status: number | null; readonly stdout: Buffer }
  readonly file: (name: string, content: string | Uint8Array) => void
}

function withFiles(work: (files: Files) => void): void {
  const cwd = mkdtempSync(join(tmpdir(), 'xinqiao-openssl-'))
  try {
    work({
      run: (...words) => spawnSync('openssl', words, { cwd }),
      file: (name, content) => writeFileSync(join(cwd, name), content),
    })
  } finally {
    rmSync(cwd, { recursive: true })
  }
}

/** r ‖ s as the DER that OpenSSL takes, and back. */
function derOf(raw: Buffer): Uint8Array {
  const numbers = [raw.subarray(0, 32), raw.subarray(32)].map(each => integer(BigInt(`0x${each.toString('hex')}`)))
  return element(0x30, ...numbers)
}

function rawOf(der: Uint8Array): Buffer {
  const numbers = elementsOf(onlyElement(der, SEQUENCE).content).map(({ content }) =>
    Buffer.from(content).toString('hex'),
  )
  return Buffer.from(numbers.map(each => each.slice(-64).padStart(64, '0')).join(''), 'hex')
}

describe('a certificate', () => {
  let root: Made
  let issuer: Made
  const lists = crlStore()
  beforeAll(async () => {
    root = await makeRoot()
    issuer = await makeIssuer({ issuer: root })
    for (const each of [root, issuer]) for (const crl of readCrls(await makeCrl({ issuer: each }))) lists.add(crl)
  })

  /** The same certificate for another key, signed anew by the P-256 authority. */
  const withKey = (made: Made, key: KeyObject, signer = issuer) =>
    resign(made, signer, fields => fields.with(6, key.export({ type: 'spki', format: 'der' })))
  const check = (leaf: Made, purposes: readonly string[] = [SIGNING], untrusted = [issuer]) => {
    const result = validatePath({
      leaf: readCertificate(leaf.certificate),
      untrusted: untrusted.map(each => readCertificate(each.certificate)),
      roots: [readCertificate(root.certificate)],
      at: new Date(),
      crls: lists,
      purposes,
      profile: 'federation',
    })
    return result.ok ? result.city : result.reason
  }

  it.each(algorithms)(
    'for a signing key of %s, by an authority of P-256, proves its city and the messages',
    async alg => {
      const made = withKey(await makeMember({ issuer, city: 'hangzhou' }), pair(alg).publicKey)
      expect(check(made)).toBe('hangzhou')
      const { publicKey } = readCertificate(made.certificate)
      expect(publicKey && algorithmOf(publicKey)).toBe(alg)
      expect(publicKey && proves(readJws(signed(alg), 'credit-query+jwt'), publicKey)).toBe(true)
    },
  )

  it.each(['ML-DSA-65', 'SGD_SM3_SM2'] as const)('for a key of %s serves for messages alone', async alg => {
    const { publicKey } = pair(alg)
    expect(check(withKey(await makeMember({ issuer, city: 'hangzhou', kind: 'tls' }), publicKey), TRANSPORT)).toBe(
      'profile.key',
    )
    expect(
      check(withKey(await makeMember({ issuer, city: 'federation', purposes: [STATEMENTS] }), publicKey), [STATEMENTS]),
    ).toBe('profile.key')
  })

  it.each(['ML-DSA-65', 'SGD_SM3_SM2'] as const)('of an authority with a key of %s is refused', async alg => {
    const authority = withKey(await makeIssuer({ issuer: root, subject: 'CN=New CA' }), pair(alg).publicKey, root)
    const leaf = await makeMember({ issuer: authority, city: 'hangzhou' })
    expect(check(leaf, [SIGNING], [authority])).toBe('key.unusable')
  })

  it('with a weak kind of the same family is refused', async () => {
    const made = await makeMember({ issuer, city: 'hangzhou' })
    expect(check(withKey(made, generateKeyPairSync('ml-dsa-44').publicKey))).toBe('key.unusable')
    expect(check(withKey(made, generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey))).toBe('key.unusable')
  })
})

describe('a certificate request', () => {
  it.each(algorithms)('for a key of %s gives that key, and its private half is in the PEM beside it', alg => {
    const { key, request } = newKey('hangzhou', 'signing', alg)
    expect(algorithmOf(requestedKey(request))).toBe(alg)
    expect(keyId(requestedKey(request))).toBe(keyId(createPrivateKey(key)))
    const again = requestFor(createPrivateKey(key), 'hangzhou', 'signing')
    expect(keyId(requestedKey(again))).toBe(keyId(createPrivateKey(key)))
  })

  it.each(algorithms)('for a key of %s of which one byte was changed is refused', alg => {
    const { request } = newKey('hangzhou', 'signing', alg)
    const der = Buffer.from(request.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = Buffer.from(der)
        changed.writeUInt8(changed.readUInt8(at) ^ mask, at)
        const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${changed.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
        expect(() => requestedKey(pem)).toThrow(Malformed)
      }),
      { numRuns: 100 },
    )
  })

  it.each(['', 'x', '-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n'])(
    'that is none is refused (case %#)',
    text => {
      expect(() => requestedKey(text)).toThrow(Malformed)
    },
  )

  it('for a connection is of P-256 and of nothing else', () => {
    expect(algorithmOf(requestedKey(newKey('hangzhou', 'transport').request))).toBe('ES256')
    expect(() => newKey('hangzhou', 'transport', 'ML-DSA-65')).toThrow(RangeError)
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    expect(() => requestFor(privateKey, 'hangzhou', 'signing')).toThrow(RangeError)
  })

  it.skipIf(!hasSm2()).each(['ES256', 'Ed25519', 'SGD_SM3_SM2'] as const)(
    'for a key of %s says to OpenSSL what it says to us',
    alg => {
      withFiles(({ run, file }) => {
        file('request.pem', newKey('hangzhou', 'signing', alg).request)
        const id = alg === 'SGD_SM3_SM2' ? ['-vfyopt', 'distid:1234567812345678'] : []
        const { status, stdout } = run('req', '-in', 'request.pem', '-noout', '-text', '-verify', ...id)
        expect(status).toBe(0)
        for (const text of ['CN = hangzhou signing', 'Digital Signature', SIGNING, 'URI:xinqiao://hangzhou.city']) {
          expect(stdout.toString()).toContain(text)
        }
      })
    },
  )
})
