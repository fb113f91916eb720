import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { deflateRawSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkSignature, readAgreement } from '#agreement/agreement.ts'
import { canonical, sha256 } from '#protocol/canonical.ts'
import { Problem, type Query, types } from '#protocol/message.ts'
import { Refusal } from '#protocol/refusal.ts'
import { algorithmOf, algorithms, compact, encode, keyId, publicJwk, readJws } from '#trust/jws.ts'
import type { Keys } from '#trust/keys.ts'
import type { Members } from '#trust/members.ts'
import { Bundle, readConfiguration, readRoll } from '#trust/statement.ts'
import { type Asked, type Verifier, verify, verifyAnswer, verifyRefusal } from '#trust/verify.ts'
import { agreementId, type Running, runFederation } from '../federation.ts'

/*
 * Each recommendation of draft-ietf-oauth-rfc8725bis by its section, with real messages of a real federation: Huizhou asks,
 * Jiangyin verifies. A forgery here has every other part right, and where it can, Huizhou's own signature.
 */
let running: Running
let huizhou: { keys: Keys; members: Members }
let jiangyin: { keys: Keys; members: Members }
/** Huizhou's signing key, with which these tests sign what Huizhou never would. */
let key: KeyObject
beforeAll(async () => {
  running = await runFederation()
  huizhou = await running.identity('huizhou')
  jiangyin = await running.identity('jiangyin')
  key = createPrivateKey(readFileSync(join(running.federation.city('huizhou').settings.keys, 'signing.pem'), 'utf8'))
})
afterAll(() => running[Symbol.asyncDispose]())

const verifier = (id: string, { members }: { members: Members }, over: Partial<Verifier> = {}): Verifier => ({
  id,
  members,
  openers: () => new Map(),
  now: Date.now,
  seen: () => false,
  acquaint: async () => {},
  ...over,
})

const claims = (over: Readonly<Record<string, unknown>> = {}) => running.claims('huizhou', 'jiangyin', over)
const header = (over: Readonly<Record<string, unknown>> = {}) => {
  const { kid, alg, thumbprint } = huizhou.keys.signing
  return { alg, kid, typ: types.query, 'x5t#S256': thumbprint, ...over }
}

type Parts = { readonly header?: string; readonly payload?: string; readonly key?: KeyObject }

/** Any header and payload text, signed with ES256 by Huizhou's key or another. */
function signed(parts: Parts): string {
  const input = `${encode(parts.header ?? JSON.stringify(header()))}.${encode(parts.payload ?? JSON.stringify(claims()))}`
  return `${input}.${sign('sha256', Buffer.from(input), { key: parts.key ?? key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
const withHeader = (over: Readonly<Record<string, unknown>>) => signed({ header: JSON.stringify(header(over)) })
const withClaims = (over: Readonly<Record<string, unknown>>) => signed({ payload: JSON.stringify(claims(over)) })

async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work()
    return 'taken'
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}
/** What Jiangyin makes of a text that came over a connection of Huizhou, or of another city. */
const outcome = (token: string, city = 'huizhou', over: Partial<Verifier> = {}) =>
  codeOf(() => verify({ token, sealed: false, city }, verifier('jiangyin', jiangyin, over)))

describe('what the rest of this page changes in one way each', () => {
  it('is taken', async () => {
    expect(await outcome(signed({}))).toBe('taken')
    expect(await outcome(huizhou.keys.signer(types.query, JSON.stringify(claims())).token)).toBe('taken')
  })
})

describe('3.1 Perform Algorithm Verification', () => {
  it.each([
    'none',
    'None',
    'NONE',
    'nOnE',
    'es256',
    'Es256',
    'ES256 ',
    'ＥＳ２５６',
    'ED25519',
    'EdDSA',
    'ml-dsa-65',
    'SM2',
    'HS256',
    'RS256',
    'PS256',
    'ES384',
    'ES512',
    'ES256K',
    'RSA1_5',
    'dir',
    '__proto__',
    'constructor',
    'toString',
    '',
  ])('the algorithm is one of a closed list, to the letter, and %j is not', async alg => {
    expect(await outcome(withHeader({ alg }))).toBe('token.algorithm')
  })

  it.each([undefined, null, 0, true, ['ES256'], { ES256: true }])(
    'the algorithm is a text, and %j is none',
    async alg => {
      expect(await outcome(withHeader({ alg }))).toBe('token.algorithm')
    },
  )

  it('none is refused with a signature, with an empty one and without', async () => {
    const [, payload, signature] = signed({}).split('.')
    const none = encode(JSON.stringify(header({ alg: 'none' })))
    expect(await outcome(`${none}.${payload}.${signature}`)).toBe('token.algorithm')
    expect(await outcome(`${none}.${payload}.`)).toBe('form.compact')
    expect(await outcome(`${none}.${payload}`)).toBe('form.compact')
  })

  it('a public key is never taken for a secret (HS256 with what everybody knows)', async () => {
    const publicKey = createPublicKey(key)
    const secrets = [
      publicKey.export({ type: 'spki', format: 'pem' }),
      publicKey.export({ type: 'spki', format: 'der' }),
      JSON.stringify(publicJwk(publicKey)),
      keyId(publicKey),
    ]
    const input = `${encode(JSON.stringify(header({ alg: 'HS256' })))}.${encode(JSON.stringify(claims()))}`
    for (const secret of secrets) {
      const mac = createHmac('sha256', secret).update(input).digest('base64url')
      expect(await outcome(`${input}.${mac}`)).toBe('token.algorithm')
    }
  })

  it.each([
    ['Ed25519', () => generateKeyPairSync('ed25519')],
    ['ML-DSA-65', () => generateKeyPairSync('ml-dsa-65')],
    ['SGD_SM3_SM2', () => generateKeyPairSync('ec', { namedCurve: 'SM2' })],
  ] as const)('the algorithm is the key’s own: %s with the id of a key of ES256 is refused', async (alg, generate) => {
    const { kid, thumbprint } = huizhou.keys.signing
    const { token } = compact(
      { alg, kid, typ: types.query, 'x5t#S256': thumbprint },
      JSON.stringify(claims()),
      generate().privateKey,
    )
    expect(await outcome(token)).toBe('token.algorithm')
  })

  it('the algorithms of an issuer are those that the federation’s rules name', () => {
    const { rules } = jiangyin.members.roll
    expect(rules.algorithms).toEqual(['ES256', 'Ed25519'])
    for (const { keys } of jiangyin.members.all) {
      for (const { alg } of keys.values()) expect(rules.algorithms).toContain(alg)
    }
  })
})

describe('3.2 Use Appropriate Algorithms', () => {
  it('four signatures, and nothing that encrypts, authenticates with a secret, or is none', () => {
    expect(algorithms).toEqual(['ES256', 'Ed25519', 'ML-DSA-65', 'SGD_SM3_SM2'])
  })

  it('no number of ECDSA or SM2 is used twice', () => {
    for (const namedCurve of ['P-256', 'SM2']) {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve })
      const alg = algorithmOf(publicKey) ?? 'ES256'
      const of = { alg, kid: keyId(publicKey), typ: types.query, 'x5t#S256': 'A'.repeat(43) }
      const tokens = Array.from({ length: 50 }, () => compact(of, '{}', privateKey).token)
      const numbers = tokens.map(token => readJws(token, types.query).signature.subarray(0, 32).toString('hex'))
      expect(new Set(numbers).size).toBe(50)
    }
  })
})

describe('3.3 Validate All Cryptographic Operations', () => {
  it('a changed claim, header or signature is refused', async () => {
    const [head = '', payload = '', signature = ''] = signed({}).split('.')
    const otherPayload = encode(JSON.stringify(claims({ purpose: 'licensing' })))
    const { typ, ...rest } = header()
    const otherHead = encode(JSON.stringify({ typ, ...rest }))
    expect(await outcome(`${head}.${otherPayload}.${signature}`)).toBe('token.signature')
    expect(await outcome(`${otherHead}.${payload}.${signature}`)).toBe('token.signature')
    expect(await outcome(`${head}.${payload}.${signed({}).split('.')[2]}`)).toBe('token.signature')
  })

  it('an encrypted message is no signed one', async () => {
    const jwe = `${encode('{"alg":"dir","enc":"A256GCM"}')}..${encode('iv')}.${encode(signed({}))}.${encode('tag')}`
    expect(await outcome(jwe)).toBe('form.compact')
    const asSealed = { token: signed({}), sealed: true, city: 'huizhou' }
    expect(await codeOf(() => verify(asSealed, verifier('jiangyin', jiangyin)))).toBe('form.compact')
  })

  it('a message inside a signed message is not looked for', async () => {
    expect(await outcome(signed({ payload: signed({}) }))).toBe('form.json')
    expect(await outcome(signed({ payload: JSON.stringify({ iss: 'huizhou', token: signed({}) }) }))).toBe(
      'token.audience',
    )
    expect(await outcome(withHeader({ cty: 'JWT' }))).toBe('token.header')
  })
})

describe('3.4 Validate Cryptographic Inputs', () => {
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const number = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex')

  it.each([
    ['zero', 0n],
    ['the order', n],
    ['one above the order', n + 1n],
    ['all ones', (1n << 256n) - 1n],
  ])('r and s are numbers of the curve, and %s is none', async (_, wrong) => {
    const [head, payload, signature = ''] = signed({}).split('.')
    const bytes = Buffer.from(signature, 'base64url')
    for (const forged of [
      Buffer.concat([number(wrong), bytes.subarray(32)]),
      Buffer.concat([bytes.subarray(0, 32), number(wrong)]),
      Buffer.concat([number(wrong), number(wrong)]),
    ]) {
      expect(await outcome(`${head}.${payload}.${forged.toString('base64url')}`)).toBe('token.signature')
    }
  })

  it('the second text of an ES256 signature (n - s) makes no second message: issuer and jti stay', async () => {
    const [head, payload, signature = ''] = signed({}).split('.')
    const bytes = Buffer.from(signature, 'base64url')
    const s = BigInt(`0x${bytes.subarray(32).toString('hex')}`)
    const twin = `${head}.${payload}.${Buffer.concat([bytes.subarray(0, 32), number(n - s)]).toString('base64url')}`
    expect(await outcome(twin)).toBe('taken')
    expect(await outcome(twin, 'huizhou', { seen: () => true })).toBe('token.replayed')
  })
})

describe('3.5 Ensure Cryptographic Keys Have Sufficient Entropy', () => {
  it('no secret is a key, however long, and no key too short to be sure', () => {
    expect(algorithmOf(createSecretKey(Buffer.from('password')))).toBeUndefined()
    expect(algorithmOf(createSecretKey(Buffer.alloc(64, 7)))).toBeUndefined()
    for (const modulusLength of [1024, 2048, 4096]) {
      expect(algorithmOf(generateKeyPairSync('rsa', { modulusLength }).publicKey)).toBeUndefined()
    }
    for (const namedCurve of ['P-192', 'secp224r1', 'secp256k1']) {
      expect(algorithmOf(generateKeyPairSync('ec', { namedCurve }).publicKey)).toBeUndefined()
    }
  })
})

describe('3.6 Avoid Compression of Encryption Inputs, 3.15 Limit JWE Decompression Size', () => {
  it('zip is refused like every member that has no place', async () => {
    expect(await outcome(withHeader({ zip: 'DEF' }))).toBe('token.header')
  })

  it('nothing is ever decompressed', async () => {
    const input = `${encode(JSON.stringify(header()))}.${deflateRawSync(JSON.stringify(claims())).toString('base64url')}`
    const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
    expect(await outcome(`${input}.${signature}`)).toBe('form.json')
    const { status } = await running.post('huizhou', 'jiangyin', gzipSync(signed({})), { 'content-encoding': 'gzip' })
    expect([400, 415]).toContain(status)
  })
})

describe('3.7 Use UTF-8', () => {
  const bytes = (head: Buffer, payload: Buffer) => {
    const input = `${head.toString('base64url')}.${payload.toString('base64url')}`
    return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }

  it.each([
    ['UTF-16', (text: string) => Buffer.from(text, 'utf16le')],
    ['UTF-16 with a mark', (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['UTF-8 with a mark', (text: string) => Buffer.from(`\ufeff${text}`)],
    ['Latin-1', (text: string) => Buffer.from(text.replace('{', '{"é":1,'), 'latin1')],
    ['an overlong form', (text: string) => Buffer.concat([Buffer.of(0xc1, 0xbb), Buffer.from(text.slice(1))])],
    ['a surrogate', (text: string) => Buffer.concat([Buffer.from(text), Buffer.of(0xed, 0xa0, 0x80)])],
  ])('%s is refused in header and claims', async (_, written) => {
    const [head, payload] = [JSON.stringify(header()), JSON.stringify(claims())]
    expect(await outcome(bytes(written(head), Buffer.from(payload)))).toBe('form.json')
    expect(await outcome(bytes(Buffer.from(head), written(payload)))).toBe('form.json')
  })
})

describe('3.8 Validate Issuer and Subject', () => {
  it.each([undefined, null, '', 'hangzhou', 'Huizhou', 'huizhou ', ['huizhou'], { id: 'huizhou' }, '__proto__'])(
    'the issuer is a member by its id, and %j is none',
    async iss => {
      expect(await outcome(withClaims({ iss }))).toBe('token.issuer')
    },
  )

  it('a key is its owner’s: nobody signs for another city with a key of his own', async () => {
    expect(await outcome(withClaims({ iss: 'jiangyin' }))).toBe('token.transport')
    expect(await outcome(withClaims({ iss: 'jiangyin' }), 'jiangyin')).toBe('token.signature')
    expect(await outcome(signed({}), 'jiangyin')).toBe('token.transport')
  })

  it('a signature by a stranger’s key is refused, whatever it calls the key', async () => {
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(await outcome(signed({ key: stranger.privateKey }))).toBe('token.signature')
    const named = JSON.stringify(header({ kid: keyId(stranger.publicKey) }))
    expect(await outcome(signed({ header: named, key: stranger.privateKey }))).toBe('token.signature')
  })

  it('a subject beside the subjects has no place', async () => {
    expect(await outcome(withClaims({ sub: 'huizhou' }))).toBe('token.claims')
  })

  it('what a city says of itself is about itself', async () => {
    const { text } = await running.get('huizhou', 'jiangyin', '/.well-known/openid-federation')
    const { anchors } = huizhou.members
    expect(await codeOf(() => readConfiguration(text, 'jiangyin', anchors, Date.now()))).toBe('taken')
    expect(await codeOf(() => readConfiguration(text, 'huizhou', anchors, Date.now()))).toBe('token.issuer')
  })
})

describe('3.9 Use and Validate Audience', () => {
  it.each([
    undefined,
    null,
    '',
    'huizhou',
    'Jiangyin',
    'jiangyin ',
    ['jiangyin'],
    ['jiangyin', 'huizhou'],
    'https://127.0.0.1/',
  ])('a message is for one city, and for another when it says %j', async aud => {
    expect(await outcome(withClaims({ aud }))).toBe('token.audience')
  })
})

describe('3.10 Do Not Trust Received Claims', () => {
  it.each(['', '../../etc/passwd', "' or 1=1 --", '*)(uid=*', 'a'.repeat(10_000), '\u0000', null, 1, ['x']])(
    'a key is looked up by a thumbprint, and %j is none',
    async kid => {
      expect(await outcome(withHeader({ kid }))).toBe('token.header')
    },
  )

  it('a thumbprint that nobody has finds no key', async () => {
    expect(await outcome(withHeader({ kid: 'A'.repeat(43) }))).toBe('token.signature')
    expect(await outcome(withHeader({ 'x5t#S256': 'A'.repeat(43) }))).toBe('token.signature')
  })

  it('no address in a header is ever called, and no key in one believed', async () => {
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    let calls = 0
    const server = createServer((_, response) => {
      calls++
      response.end(JSON.stringify({ keys: [publicJwk(stranger.publicKey)] }))
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    server.listen(0, '127.0.0.1', resolve)
    await promise
    const address = server.address()
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/keys`
    for (const member of [
      { jku: url },
      { x5u: url },
      { jwk: publicJwk(stranger.publicKey) },
      { x5c: [stranger.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] },
    ]) {
      const text = JSON.stringify(header({ ...member, kid: keyId(stranger.publicKey) }))
      const token = signed({ header: text, key: stranger.privateKey })
      expect(await outcome(token)).toBe('token.header')
      const { status, text: body } = await running.post('huizhou', 'jiangyin', token)
      expect([status, Problem.parse(JSON.parse(body)).code]).toEqual([401, 'token.header'])
    }
    expect(calls).toBe(0)
    const closed = Promise.withResolvers<void>()
    server.close(() => closed.resolve())
    await closed.promise
  })

  it.each([
    ['crit', ['exp']],
    ['crit', []],
    ['b64', false],
    ['b64', true],
    ['x5t', 'AAAA'],
    ['cty', 'JWT'],
    ['nonce', 'x'],
    ['url', 'https://elsewhere.example/'],
    ['epk', {}],
    ['p2c', 1],
    ['iss', 'huizhou'],
    ['Alg', 'ES256'],
    ['toString', 'x'],
  ])('a header member that has no place is refused: %s', async (member, value) => {
    expect(await outcome(withHeader({ [member]: value }))).toBe('token.header')
  })

  it('a header has no more than its four members, however many are sent', async () => {
    const many = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`m${i}`, i]))
    expect(await outcome(withHeader(many))).toBe('token.header')
    expect(await outcome(withHeader({ typ: 'x'.repeat(50_000) }))).toBe('token.type')
    expect(await outcome(signed({ header: `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}` }))).toBe('form.json')
    const { status, text } = await running.post('huizhou', 'jiangyin', withHeader({ typ: 'x'.repeat(70_000) }))
    expect([status, Problem.parse(JSON.parse(text)).code]).toEqual([413, 'form.size'])
  })

  it.each(['alg', 'kid', 'typ', 'x5t#S256'])(
    'a header that says %s twice is refused, in either order',
    async member => {
      const text = JSON.stringify(header())
      const twice = `"${member}":"x"`
      expect(await outcome(signed({ header: `{${twice},${text.slice(1)}` }))).toBe('form.duplicate')
      expect(await outcome(signed({ header: `${text.slice(0, -1)},${twice}}` }))).toBe('form.duplicate')
      const escaped = `"\\u00${member.charCodeAt(0).toString(16)}${member.slice(1)}":"x"`
      expect(await outcome(signed({ header: `${text.slice(0, -1)},${escaped}}` }))).toBe('form.duplicate')
    },
  )

  it.each(['iss', 'aud', 'exp', 'jti', 'subjects'])('claims that say %s twice are refused', async member => {
    const text = JSON.stringify(claims())
    expect(await outcome(signed({ payload: `{"${member}":"x",${text.slice(1)}` }))).toBe('form.duplicate')
    expect(await outcome(signed({ payload: `${text.slice(0, -1)},"${member}":"x"}` }))).toBe('form.duplicate')
  })

  it.each([
    ['exp', '1893456000'],
    ['exp', 1e300],
    ['exp', null],
    ['exp', undefined],
    ['nbf', -1],
    ['iat', 1.5],
    ['iat', undefined],
    ['jti', ''],
    ['jti', undefined],
    ['jti', "'; drop table entries --"],
    ['subjects', []],
    ['subjects', '91320281250344877K'],
    ['admin', true],
  ])('a claim of another form is refused: %s %j', async (claim, value) => {
    expect(await outcome(withClaims({ [claim]: value }))).toBe('token.claims')
  })

  it('the times are held to the clock', async () => {
    const now = Math.floor(Date.now() / 1000)
    const lived = { iat: now - 400, nbf: now - 400, exp: now - 200 }
    expect(await outcome(withClaims(lived))).toBe('token.expired')
    expect(await outcome(withClaims({ iat: now + 60, nbf: now + 60, exp: now + 120 }))).toBe('token.future')
    expect(await outcome(withClaims({ exp: now + 86_400 }))).toBe('token.window')
    expect(await outcome(withClaims({ exp: now - 5, iat: now - 5, nbf: now - 5 }))).toBe('token.window')
  })
})

describe('3.11 Use Explicit Typing', () => {
  it.each([
    undefined,
    null,
    '',
    'JWT',
    'jwt',
    'credit-query',
    'application/credit-query+jwt',
    'Credit-Query+JWT',
    'credit-query+jwt; v=1',
    'credit-query+jwt ',
    ['credit-query+jwt'],
  ])('the type is compared to the letter, and %j is another', async typ => {
    expect(await outcome(withHeader({ typ }))).toBe('token.type')
  })
})

describe('3.12 Use Mutually Exclusive Validation Rules for Different Kinds of JWTs', () => {
  type Sample = { readonly token: string; readonly take: (token: string) => unknown }
  let kinds: ReadonlyMap<string, Sample>

  beforeAll(async () => {
    const { signer } = huizhou.keys
    const ask = async (over: Readonly<Record<string, unknown>>) => {
      const sent: Query = claims(over)
      const question = signer(types.query, JSON.stringify(sent))
      const { text } = await running.post('huizhou', 'jiangyin', question.token)
      const asked: Asked = {
        jti: sent.jti,
        hash: sha256(question.signingInput),
        peer: 'jiangyin',
        sealed: false,
      }
      return { text, asked }
    }
    const answered = await ask({})
    const refused = await ask({ purpose: 'no-such-purpose' })
    const asker = verifier('huizhou', huizhou)
    const folder = join(running.federation.folder, 'federation-config')
    const agreement = readAgreement(
      readFileSync(join(folder, 'agreements', `${agreementId}.json`), 'utf8'),
      agreementId,
      [],
    )
    if (agreement === undefined) throw new TypeError('no agreement')
    const detached = readFileSync(join(folder, 'agreements', `${agreementId}.jiangyin.jws`), 'utf8').trim()
    const attached = detached.replace('..', `.${encode(canonical(agreement))}.`)
    const { text: configuration } = await running.get('huizhou', 'jiangyin', '/.well-known/openid-federation')
    const bundle = Bundle.parse(JSON.parse(readFileSync(join(folder, 'roll.json'), 'utf8')))
    const { anchors } = huizhou.members
    const now = Date.now()
    kinds = new Map([
      [
        'question',
        {
          token: signer(types.query, JSON.stringify(claims())).token,
          take: (token: string) => verify({ token, sealed: false, city: 'huizhou' }, verifier('jiangyin', jiangyin)),
        },
      ],
      ['answer', { token: answered.text, take: (token: string) => verifyAnswer(token, answered.asked, asker) }],
      ['refusal', { token: refused.text, take: (token: string) => verifyRefusal(token, refused.asked, asker) }],
      [
        'agreement',
        {
          token: attached,
          take: (token: string) => {
            const [head, , signature] = token.split('.')
            checkSignature(agreement, 'jiangyin', `${head}..${signature}\n`, huizhou.members, now)
          },
        },
      ],
      [
        'statement',
        { token: configuration, take: (token: string) => readConfiguration(token, 'jiangyin', anchors, now) },
      ],
      ['roll', { token: bundle.roll, take: (token: string) => readRoll({ ...bundle, roll: token }, anchors, now) }],
    ])
  })

  const names = ['question', 'answer', 'refusal', 'agreement', 'statement', 'roll']

  it.each(names)('one (%s) is taken for what it is', async name => {
    const sample = kinds.get(name)
    expect(await codeOf(() => sample?.take(sample.token))).toBe('taken')
  })

  it.each(names.flatMap(from => names.filter(to => to !== from).map(to => [from, to] as const)))(
    'one (%s) is never taken for another (%s)',
    async (from, to) => {
      const token = kinds.get(from)?.token ?? ''
      // Statements of both kinds have one type (OpenID Federation); their issuer and claims keep them apart.
      const alike = ['statement', 'roll'].includes(from) && ['statement', 'roll'].includes(to)
      const code = await codeOf(() => kinds.get(to)?.take(token))
      expect(code).toBe(alike ? 'token.claims' : 'token.type')
    },
  )

  it.each(['answer', 'refusal', 'statement', 'roll'])(
    'the claims of another (%s) are no question, though Huizhou signs them as one',
    async from => {
      const [, payload = ''] = kinds.get(from)?.token.split('.') ?? []
      const borrowed: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
      const text = JSON.stringify({ ...Object(borrowed), iss: 'huizhou', aud: 'jiangyin' })
      expect(await outcome(signed({ payload: text }))).toBe('token.claims')
    },
  )
})

describe('3.13 Limit Hash Iteration Count', () => {
  it('no algorithm with iterations is known', async () => {
    expect(await outcome(withHeader({ alg: 'PBES2-HS256+A128KW', p2c: 2_000_000_000 }))).toBe('token.algorithm')
    expect(await outcome(withHeader({ p2c: 2_000_000_000 }))).toBe('token.header')
  })
})

describe('3.14 Check JWT Format Type', () => {
  const parts = () => signed({}).split('.')

  it('the JSON serializations are refused, flattened and general', async () => {
    const [protectedHeader, payload, signature] = parts()
    const flat = { payload, protected: protectedHeader, signature }
    const general = { payload, signatures: [{ protected: protectedHeader, signature }] }
    const mixed = { ...flat, header: { jwk: signed({}) } }
    expect(await outcome(JSON.stringify(flat))).toBe('form.compact')
    expect(await outcome(JSON.stringify(general))).toBe('form.compact')
    expect(await outcome(JSON.stringify(mixed))).toBe('form.base64')
  })

  it('detached content is refused where a message is meant', async () => {
    const [head, , signature] = parts()
    expect(await outcome(`${head}..${signature}`)).toBe('form.json')
  })

  it.each([
    ['a blank before it', (token: string) => ` ${token}`, 'form.base64'],
    ['a line break after it', (token: string) => `${token}\n`, 'form.base64'],
    ['a line break inside', (token: string) => token.replace('.', '.\r\n'), 'form.base64'],
    ['a byte order mark', (token: string) => `\ufeff${token}`, 'form.base64'],
    ['padding', (token: string) => `${token}==`, 'form.base64'],
    ['standard base64', (token: string) => token.replace(/[A-Z]/, '+'), 'form.base64'],
    ['quotation marks', (token: string) => `"${token}"`, 'form.base64'],
    ['a scheme', (token: string) => `Bearer ${token}`, 'form.base64'],
    ['another full stop', (token: string) => token.replace('.', '．'), 'form.compact'],
    ['percent signs', (token: string) => token.replace('.', '%2e'), 'form.compact'],
    ['a fourth part', (token: string) => `${token}.AAAA`, 'form.compact'],
    ['a second message', (token: string) => `${token}.${token}`, 'form.compact'],
    ['a comma and a second message', (token: string) => `${token},${token}`, 'form.compact'],
    ['a zero byte', (token: string) => `${token}\0`, 'form.base64'],
  ])('a text with %s is refused', async (_, changed, code) => {
    expect(await outcome(changed(signed({})))).toBe(code)
  })

  it('another text of the same bytes is refused', async () => {
    const [head, payload, signature = ''] = parts()
    const tail = 'AQgw'.indexOf(signature.slice(-1))
    const other = `${head}.${payload}.${signature.slice(0, -1)}${'BRhx'.charAt(tail)}`
    expect(Buffer.from(other.split('.')[2] ?? '', 'base64url')).toEqual(Buffer.from(signature, 'base64url'))
    expect(await outcome(other)).toBe('form.base64')
  })
})
