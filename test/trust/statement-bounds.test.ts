/** A roll and what a city says of itself, signed by the right keys and wrong in one place: none is believed, and what lies just within is. */
import { createPrivateKey } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sha256 } from '#protocol/canonical.ts'
import { Refusal } from '#protocol/refusal.ts'
import { type Anchors, readAnchors } from '#trust/anchors.ts'
import { readCertificates } from '#trust/certificate.ts'
import { readJws } from '#trust/jws.ts'
import { type Keys, readKeys, type Signer, signerOf } from '#trust/keys.ts'
import { readMembers } from '#trust/members.ts'
import { newKey } from '#trust/request.ts'
import { newEncryptionKey } from '#trust/seal.ts'
import {
  Bundle,
  certifiedKey,
  configurationOf,
  entityOf,
  numberOf,
  OFFICE,
  pemOf,
  readConfiguration,
  readRoll,
  rollOf,
  STATEMENT_TYPE,
} from '#trust/statement.ts'
import { type Federation, makeFederation } from '../../src/federation.ts'
import { makeMember, makeRoot } from '../certificates.ts'
import { claimsIn } from '../federation.ts'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-statement-'))
/** Whole seconds, so that a bound is met exactly. */
const NOW = Math.floor(Date.now() / 1000)
const DAY = 86_400
let federation: Federation
let anchors: Anchors
let shipped: Bundle
let huizhou: Keys
let office: { signer: Signer; alg: 'ES256'; kid: string; thumbprint: string }

beforeAll(async () => {
  federation = await makeFederation(folder, { cities: ['jiangyin', 'huizhou'], logLevel: 'silent' })
  const { config, certs, keys } = federation.office
  const members = await readMembers({ config, certs }, () => NOW * 1000, [])
  if (members === undefined) throw new Error('no members')
  anchors = members.anchors
  shipped = Bundle.parse(JSON.parse(readFileSync(join(config, 'roll.json'), 'utf8')))
  const read = await readKeys(federation.city('huizhou').settings, 'huizhou', members, NOW * 1000, [])
  const key = await certifiedKey(readCertificates(readFileSync(join(certs, 'federation.pem'), 'utf8')))
  if (read === undefined || key?.alg !== 'ES256') throw new Error('no keys')
  huizhou = read
  const { alg, kid, thumbprint } = key
  const signer = signerOf(key, createPrivateKey(readFileSync(join(keys, 'office.pem'), 'utf8')))
  office = { signer, alg, kid, thumbprint }
})
afterAll(() => rmSync(folder, { recursive: true }))

type Changes = Readonly<Record<string, unknown>>

/** A JSON value with what stands at these dotted paths replaced; undefined takes it away. */
function changed(value: unknown, changes: Changes): unknown {
  return Object.entries(changes).reduce((whole, [path, to]) => put(whole, path.split('.'), to), value)
}
function put(value: unknown, [head, ...rest]: readonly string[], to: unknown): unknown {
  if (head === undefined) return to
  if (Array.isArray(value)) return value.map((each, i) => (String(i) === head ? put(each, rest, to) : each))
  return { ...Object(value), [head]: put(Object(value)[head], rest, to) }
}

async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'taken'
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

const FEDERATION = 'metadata.xinqiao_federation'
const GATEWAY = 'metadata.xinqiao_gateway'

/** The shipped roll with changed claims, and with changed claims in what it says of Huizhou, signed anew by the office. */
function rollWith(ofRoll: Changes, ofHuizhou: Changes = {}, sign: Signer = office.signer): Bundle {
  const statements = shipped.statements.map(token => {
    const claims = claimsIn(token)
    if (claims['sub'] !== entityOf('huizhou')) return { sub: claims['sub'], token }
    const told = JSON.stringify(changed(claims, ofHuizhou))
    return { sub: Object(JSON.parse(told)).sub, token: sign(STATEMENT_TYPE, told).token }
  })
  const members = statements.map(({ sub, token }) => ({
    sub,
    statement: sha256(readJws(token, STATEMENT_TYPE).signingInput),
  }))
  const claims = changed(changed(claimsIn(shipped.roll), { [`${FEDERATION}.members`]: members }), ofRoll)
  return {
    roll: sign(STATEMENT_TYPE, JSON.stringify(claims)).token,
    statements: statements.map(({ token }) => token),
  }
}
const rolled = (...how: Parameters<typeof rollWith>) => outcome(readRoll(rollWith(...how), anchors, NOW * 1000))

/** What Huizhou says of itself, with changed claims, signed by its own key. */
function saidWith(changes: Changes, sign: Signer = huizhou.signer): string {
  const good = claimsIn(configurationOf(huizhou.described, shipped, huizhou.signer, NOW))
  return sign(STATEMENT_TYPE, JSON.stringify(changed(good, changes))).token
}
const said = (changes: Changes, sign?: Signer) =>
  outcome(readConfiguration(saidWith(changes, sign), 'huizhou', anchors, NOW * 1000))

/** `iat` and `exp` in seconds from now. */
const times = (iat: number, exp: number): Changes => ({ iat: NOW + iat, exp: NOW + exp })
const longest = (days: number): readonly (readonly [string, Changes, string])[] => [
  ['that ends in a second', times(-60, 1), 'taken'],
  ['that ends now', times(-60, 0), 'token.expired'],
  ['made ten seconds ahead of us', times(10, 60), 'taken'],
  ['made eleven seconds ahead of us', times(11, 60), 'token.future'],
  ['that lives a second', times(5, 6), 'taken'],
  ['that lives none', times(5, 5), 'token.window'],
  ['that ends before it begins', times(5, 4), 'token.window'],
  [`that lives ${days} days`, times(0, days * DAY), 'taken'],
  [`that lives ${days} days and a second`, times(0, days * DAY + 1), 'token.window'],
]

describe('a roll', () => {
  it.each(longest(400))('%s', async (_, changes, code) => {
    expect(await rolled(changes)).toBe(code)
    // The same holds for each statement that it names.
    expect(await rolled({}, changes)).toBe(code)
  })

  it('is believed until the first of its statements ends, and says when it was made, what it is, and who is on it', async () => {
    const bundle = rollWith(times(-7, 9 * DAY), times(-9, 4 * DAY))
    const roll = await readRoll(bundle, anchors, NOW * 1000)
    expect(roll).toMatchObject({
      number: 1,
      rules: { algorithms: ['ES256', 'Ed25519'], crlGraceSeconds: 0, publishSeconds: 3600 },
      made: (NOW - 7) * 1000,
      until: (NOW + 4 * DAY) * 1000,
      digest: sha256(readJws(bundle.roll, STATEMENT_TYPE).signingInput),
      bundle,
    })
    expect(roll.members.map(({ id }) => id).sort()).toEqual(['huizhou', 'jiangyin'])
    expect(roll.office[0]?.digest).toBe(office.thumbprint)
    const { until } = await readRoll(rollWith(times(0, 2 * DAY), times(0, 4 * DAY)), anchors, NOW * 1000)
    expect(until).toBe((NOW + 2 * DAY) * 1000)
  })

  it('of rules made by the office gives back what it was made of', async () => {
    const rules = { algorithms: ['ES256' as const], crlGraceSeconds: 7, publishSeconds: 60 }
    const { members } = await readRoll(shipped, anchors, NOW * 1000)
    const key = await certifiedKey(
      readCertificates(readFileSync(join(federation.office.certs, 'federation.pem'), 'utf8')),
    )
    if (key === undefined) throw new Error('no key')
    const bundle = rollOf(
      members,
      { number: 41, rules, days: 3, now: NOW * 1000 + 999 },
      { signer: office.signer, key },
    )
    const roll = await readRoll(bundle, anchors, NOW * 1000)
    expect([roll.number, roll.rules, numberOf(bundle)]).toEqual([41, rules, 41])
    expect([roll.made, roll.until]).toEqual([NOW * 1000, (NOW + 3 * DAY) * 1000])
    const comparable = ({ keys, transport, ...rest }: (typeof members)[number]) => ({
      ...rest,
      keys: keys.map(({ kid, alg, thumbprint, chain }) => ({ kid, alg, thumbprint, chain: chain.map(c => c.digest) })),
      transport: transport.map(chain => chain.map(({ digest }) => digest)),
    })
    expect(roll.members.map(comparable)).toEqual(members.map(comparable))
  })

  it.each<[string, Changes]>([
    ['by another issuer', { iss: entityOf('huizhou') }],
    ['about another', { sub: entityOf('huizhou') }],
    ['of number zero', { [`${FEDERATION}.number`]: 0 }],
    ['of half a number', { [`${FEDERATION}.number`]: 1.5 }],
    ['with no algorithm', { [`${FEDERATION}.rules.algorithms`]: [] }],
    ['with an algorithm that nobody knows', { [`${FEDERATION}.rules.algorithms`]: ['ES256', 'none'] }],
    ['with a negative grace', { [`${FEDERATION}.rules.crlGraceSeconds`]: -1 }],
    ['with a grace of more than fourteen days', { [`${FEDERATION}.rules.crlGraceSeconds`]: 14 * DAY + 1 }],
    ['that lets a new key sign within nine seconds', { [`${FEDERATION}.rules.publishSeconds`]: 9 }],
    ['that lets none sign in thirty days', { [`${FEDERATION}.rules.publishSeconds`]: 30 * DAY + 1 }],
    ['with a rule that nobody knows', { [`${FEDERATION}.rules.trustAll`]: true }],
    ['with a claim that has no place', { trust_marks: [] }],
    ['with metadata of another kind beside it', { 'metadata.openid_provider': {} }],
    ['made before there were any', { iat: 1_499_999_999 }],
    ['without its keys', { 'jwks.keys': [] }],
    ['with keys in another set', { 'jwks.more': [] }],
  ])('%s is refused', async (_, changes) => {
    expect(await rolled(changes)).toBe('token.claims')
  })

  it.each<[string, Changes]>([
    ['a grace of none', { [`${FEDERATION}.rules.crlGraceSeconds`]: 0 }],
    ['a grace of fourteen days', { [`${FEDERATION}.rules.crlGraceSeconds`]: 14 * DAY }],
    ['ten seconds for a new key', { [`${FEDERATION}.rules.publishSeconds`]: 10 }],
    ['thirty days for a new key', { [`${FEDERATION}.rules.publishSeconds`]: 30 * DAY }],
  ])('may have %s', async (_, changes) => {
    expect(await rolled(changes)).toBe('taken')
  })

  it('that names a member twice is refused, with one statement and with two', async () => {
    const [first, second] = Object(claimsIn(shipped.roll)).metadata.xinqiao_federation.members
    expect(await rolled({ [`${FEDERATION}.members`]: [first, second, first] })).toBe('token.claims')
    const other = { ...first, statement: second.statement }
    expect(await rolled({ [`${FEDERATION}.members`]: [first, other] })).toBe('token.claims')
  })

  it('names the statements that come with it, each for its own city', async () => {
    const [first, second] = Object(claimsIn(shipped.roll)).metadata.xinqiao_federation.members
    const swapped = [
      { sub: first.sub, statement: second.statement },
      { sub: second.sub, statement: first.statement },
    ]
    expect(await rolled({ [`${FEDERATION}.members`]: swapped })).toBe('token.claims')
    expect(await rolled({ [`${FEDERATION}.members`]: [] })).toBe('token.claims')
    const unnamed = { ...first, statement: 'A'.repeat(43) }
    expect(await rolled({ [`${FEDERATION}.members`]: [unnamed, second] })).toBe('token.claims')
  })

  it('comes with each of its statements once: one twice in place of another is refused', async () => {
    for (const statement of shipped.statements) {
      const bundle = { ...shipped, statements: [statement, statement] }
      expect(await outcome(readRoll(bundle, anchors, NOW * 1000))).toBe('token.claims')
    }
  })

  it('has a number that can be looked up before any proof', () => {
    expect(numberOf(shipped)).toBe(1)
    expect(() => numberOf({ ...shipped, roll: shipped.statements[0] ?? '' })).toThrow('token.claims')
  })

  it.each<[string, () => Parameters<typeof signerOf>[0]]>([
    ['a key id that is not the office’s', () => ({ ...office, kid: 'A'.repeat(43) })],
    ['a certificate that is not its key’s', () => ({ ...office, thumbprint: 'A'.repeat(43) })],
  ])('signed under %s is refused', async (_, named) => {
    const key = createPrivateKey(readFileSync(join(federation.office.keys, 'office.pem'), 'utf8'))
    expect(await rolled({}, {}, signerOf(named(), key))).toBe('token.signature')
  })

  it('signed by another key under the office’s name is refused, whole or in one statement', async () => {
    const stranger = signerOf(office, createPrivateKey(newKey('federation', 'statements').key))
    expect(await rolled({}, {}, stranger)).toBe('token.signature')
    const { statements } = rollWith({}, {}, stranger)
    const forged = { ...shipped, statements }
    expect(await outcome(readRoll(forged, anchors, NOW * 1000))).toBe('token.signature')
  })

  it('signed in another algorithm under the office’s name is refused', async () => {
    const { key } = newKey('federation', 'signing', 'Ed25519')
    const other = signerOf({ ...office, alg: 'Ed25519' }, createPrivateKey(key))
    expect(await rolled({}, {}, other)).toBe('token.signature')
  })

  it('signed with a certificate of the office for another use is refused', async () => {
    const { certificate, key: pem } = await federation.authority.issue(OFFICE, 'signing')
    const key = await certifiedKey(readCertificates(certificate))
    if (key === undefined) throw new Error('no key')
    const { members, rules } = await readRoll(shipped, anchors, NOW * 1000)
    const asked = { number: 2, rules, days: 3, now: NOW * 1000 }
    const bundle = rollOf(members, asked, { signer: signerOf(key, createPrivateKey(pem)), key })
    expect(await outcome(readRoll(bundle, anchors, NOW * 1000))).toBe('token.certificate')
  })

  it('is believed past the end of a list by its own grace, and not a second longer', async () => {
    const { certs } = federation.office
    const aside = join(folder, 'short-lists')
    cpSync(certs, aside, { recursive: true })
    const { name, pem } = await federation.authority.revoke([], 5)
    writeFileSync(join(aside, 'crls', name), pem)
    const short = readAnchors(aside, [], () => 0)
    const at = (NOW + 6 * DAY) * 1000
    const late = (crlGraceSeconds: number) =>
      outcome(
        readRoll(
          rollWith(
            { ...times(0, 9 * DAY), [`${FEDERATION}.rules.crlGraceSeconds`]: crlGraceSeconds },
            times(0, 9 * DAY),
          ),
          short,
          at,
        ),
      )
    expect(await late(0)).toBe('token.certificate')
    expect(await late(DAY - 60)).toBe('token.certificate')
    expect(await late(DAY + 60)).toBe('taken')
  })

  it('is judged by the lists of now, and by the grace that it names itself', async () => {
    const at = NOW * 1000 + 31 * DAY * 1000
    const late = (grace: number) =>
      rollWith({ ...times(31 * DAY, 32 * DAY), [`${FEDERATION}.rules.crlGraceSeconds`]: grace })
    expect(await outcome(readRoll(late(0), anchors, at))).toBe('token.certificate')
    expect(await outcome(readRoll(shipped, { ...anchors, roots: [] }, NOW * 1000))).toBe('token.certificate')
  })
})

/** The good entry of Huizhou, changed in one place: nothing of it is believed from either side. */
const wrong: [string, Changes][] = [
  ['a name missing', { [`${GATEWAY}.name.en`]: undefined }],
  ['an empty name', { [`${GATEWAY}.name.zh`]: '' }],
  ['an empty name in English', { [`${GATEWAY}.name.en`]: '' }],
  ['a name of a hundred and one characters', { [`${GATEWAY}.name.zh`]: '惠'.repeat(101) }],
  ['an English name of a hundred and one', { [`${GATEWAY}.name.en`]: 'h'.repeat(101) }],
  ['a name with a line end', { [`${GATEWAY}.name.zh`]: '惠州\n苏州' }],
  ['a name with a character that turns the line', { [`${GATEWAY}.name.en`]: 'Huizhou\u202e' }],
  ['a name with a line separator', { [`${GATEWAY}.name.en`]: 'Hui\u2028zhou' }],
  ['a name with a paragraph separator', { [`${GATEWAY}.name.en`]: 'Hui\u2029zhou' }],
  ['a name that begins with an escape', { [`${GATEWAY}.name.en`]: '\u001bHuizhou' }],
  ['a name in a third language', { [`${GATEWAY}.name.fr`]: 'Huizhou' }],
  ['no division', { [`${GATEWAY}.divisions`]: [] }],
  ['a division of five digits', { [`${GATEWAY}.divisions`]: ['44130'] }],
  ['a division of seven digits', { [`${GATEWAY}.divisions`]: ['4413000'] }],
  ['a division that ends in a letter', { [`${GATEWAY}.divisions`]: ['441300', '441300a'] }],
  ['a division that begins with a letter', { [`${GATEWAY}.divisions`]: ['a441300'] }],
  ['sixty-five divisions', { [`${GATEWAY}.divisions`]: Array.from({ length: 65 }, () => '441300') }],
  ['an address in clear', { [`${GATEWAY}.endpoint`]: 'http://127.0.0.1/' }],
  ['an address of another scheme that looks like it', { [`${GATEWAY}.endpoint`]: 'httpss://127.0.0.1/' }],
  ['an address of a scheme that ends like it', { [`${GATEWAY}.endpoint`]: 'xhttps://127.0.0.1/' }],
  ['no address', { [`${GATEWAY}.endpoint`]: 'huizhou' }],
  ['an address of two hundred and one characters', { [`${GATEWAY}.endpoint`]: `https://h/${'a'.repeat(191)}` }],
  ['no certificate for connections', { [`${GATEWAY}.transport`]: [] }],
  ['a chain without a certificate', { [`${GATEWAY}.transport.0`]: [] }],
  ['a certificate that is none', { [`${GATEWAY}.transport.0`]: ['AAAA'] }],
  ['a certificate that is not in base64', { [`${GATEWAY}.transport.0`]: ['*'] }],
  ['a certificate too large', { [`${GATEWAY}.transport.0`]: ['A'.repeat(16_388)] }],
  ['a member of the metadata that has no place', { [`${GATEWAY}.admin`]: true }],
  ['an encryption key that is no text', { [`${GATEWAY}.encryption.0.x`]: 1 }],
  ['an encryption key too long', { [`${GATEWAY}.encryption.0.x`]: 'A'.repeat(201) }],
  ['metadata of another kind beside it', { 'metadata.openid_provider': {} }],
  ['a key of another id', { 'jwks.keys.0.kid': 'A'.repeat(43) }],
  ['a key whose id is too long', { 'jwks.keys.0.kid': 'A'.repeat(44) }],
  ['a key of another algorithm', { 'jwks.keys.0.alg': 'Ed25519' }],
  ['a key of no algorithm', { 'jwks.keys.0.alg': 'HS256' }],
  ['a key of another use', { 'jwks.keys.0.use': 'enc' }],
  ['a key with another point', { 'jwks.keys.0.x': 'A'.repeat(43) }],
  ['a key with a private part', { 'jwks.keys.0.d': 'A'.repeat(43) }],
  ['a key of a kind that is none', { 'jwks.keys.0.kty': 'RSA' }],
  ['a key without a certificate', { 'jwks.keys.0.x5c': [] }],
  ['a key with a member too long', { 'jwks.keys.0.more': 'A'.repeat(8_193) }],
  ['no key', { 'jwks.keys': [] }],
  ['a claim that has no place', { trust_marks: [] }],
]

describe('what the office says of a member', () => {
  it.each(wrong)('with %s is refused', async (_, changes) => {
    expect(await rolled({}, changes)).toBe('token.claims')
  })

  it.each<[string, Changes]>([
    ['by another', { iss: entityOf('huizhou') }],
    ['about the office itself', { sub: entityOf(OFFICE) }],
    ['about no city', { sub: 'xinqiao://Huizhou.city' }],
    ['about a name around a city', { sub: `a${entityOf('huizhou')}` }],
    ['about a name behind a city', { sub: `${entityOf('huizhou')}.a` }],
    ['about a city of one letter', { sub: entityOf('h') }],
    ['about a city of thirty-two letters', { sub: entityOf('h'.repeat(32)) }],
    ['about a city called like a number of a person', { sub: entityOf('h13800138000') }],
  ])('%s is refused', async (_, changes) => {
    expect(await rolled({}, changes)).toBe('token.claims')
  })

  it.each<[string, Changes]>([
    ['sixty-four divisions', { [`${GATEWAY}.divisions`]: Array.from({ length: 64 }, () => '441300') }],
    ['names of a hundred characters', { [`${GATEWAY}.name`]: { zh: '惠'.repeat(100), en: 'h'.repeat(100) } }],
    ['an address of two hundred characters', { [`${GATEWAY}.endpoint`]: `https://h/${'a'.repeat(190)}` }],
    ['no key for encryption', { [`${GATEWAY}.encryption`]: [] }],
  ])('may have %s', async (_, changes) => {
    expect(await rolled({}, changes)).toBe('taken')
  })

  it('may have eight keys of each kind, four for encryption, and chains of four, and no more', async () => {
    const { jwks, metadata } = Object(
      claimsIn(shipped.statements.find(each => claimsIn(each)['sub'] === entityOf('huizhou')) ?? ''),
    )
    const [key] = jwks.keys
    const [chain] = metadata.xinqiao_gateway.transport
    const times = (count: number, value: unknown) => Array.from({ length: count }, () => value)
    const encryption = newEncryptionKey().jwk
    for (const [path, most, value] of [
      ['jwks.keys', 8, key],
      ['jwks.keys.0.x5c', 4, key.x5c[0]],
      [`${GATEWAY}.transport`, 8, chain],
      [`${GATEWAY}.transport.0`, 4, chain[0]],
      [`${GATEWAY}.encryption`, 4, encryption],
    ] as const) {
      expect(await rolled({}, { [path]: times(most, value) })).toBe('taken')
      expect(await rolled({}, { [path]: times(most + 1, value) })).toBe('token.claims')
    }
  })
})

describe('what a city says of itself', () => {
  it.each(longest(1))('%s', async (_, changes, code) => {
    expect(await said(changes)).toBe(code)
  })

  it.each(wrong)('with %s is refused', async (_, changes) => {
    expect(await said(changes)).toBe('token.claims')
  })

  it.each<[string, Changes, string]>([
    ['by another city', { iss: entityOf('jiangyin') }, 'token.issuer'],
    ['about another city', { sub: entityOf('jiangyin') }, 'token.issuer'],
    ['by and about another city', { iss: entityOf('jiangyin'), sub: entityOf('jiangyin') }, 'token.issuer'],
    ['by no city', { iss: 'huizhou', sub: 'huizhou' }, 'token.claims'],
    ['under another authority', { authority_hints: [entityOf('huizhou')] }, 'token.claims'],
    ['under two authorities', { authority_hints: [entityOf(OFFICE), entityOf(OFFICE)] }, 'token.claims'],
    ['under none', { authority_hints: [] }, 'token.claims'],
    ['with a roll that is none', { roll: { roll: 1, statements: [] } }, 'token.claims'],
    ['with a roll and something in it', { 'roll.more': 1 }, 'token.claims'],
  ])('%s is refused', async (_, changes, code) => {
    expect(await said(changes)).toBe(code)
  })

  it('need not bring the roll that the asker goes by already', async () => {
    const token = configurationOf(huizhou.described, undefined, huizhou.signer, NOW)
    expect(claimsIn(token)).not.toHaveProperty('roll')
    expect((await readConfiguration(token, 'huizhou', anchors, NOW * 1000)).roll).toBeUndefined()
  })

  it('is read again after its end where it was believed before, but for what was never so', async () => {
    const again = (changes: Changes) =>
      outcome(readConfiguration(saidWith(changes), 'huizhou', anchors, NOW * 1000, true))
    expect(await said(times(-2 * DAY, -DAY))).toBe('token.expired')
    expect(await again(times(-2 * DAY, -DAY))).toBe('taken')
    expect(await again(times(-2 * DAY, -2 * DAY))).toBe('token.expired')
    expect(await again(times(-2 * DAY, 1))).toBe('token.window')
  })

  it('gives what was said, when, and the roll that it goes by', async () => {
    const at = NOW - 5
    const token = configurationOf(huizhou.described, shipped, huizhou.signer, at)
    const { described, made, roll } = await readConfiguration(token, 'huizhou', anchors, NOW * 1000)
    expect([described.id, described.endpoint, made, roll]).toEqual([
      'huizhou',
      huizhou.described.endpoint,
      at * 1000,
      shipped,
    ])
    expect(claimsIn(token)).toMatchObject({ iat: at, exp: at + DAY })
  })

  it('is signed by a key that stands in it, under that key’s own id, certificate and algorithm', async () => {
    const key = createPrivateKey(readFileSync(join(federation.city('huizhou').settings.keys, 'signing.pem'), 'utf8'))
    const { alg, kid, thumbprint } = huizhou.signing
    const under = (over: Partial<Parameters<typeof signerOf>[0]>, by = key) =>
      said({}, signerOf({ alg, kid, thumbprint, ...over }, by))
    expect(await under({})).toBe('taken')
    expect(await under({ kid: 'A'.repeat(43) })).toBe('token.signature')
    expect(await under({ thumbprint: 'A'.repeat(43) })).toBe('token.signature')
    expect(await under({}, createPrivateKey(newKey('huizhou', 'signing').key))).toBe('token.signature')
    const edwards = createPrivateKey(newKey('huizhou', 'signing', 'Ed25519').key)
    expect(await under({ alg: 'Ed25519' }, edwards)).toBe('token.signature')
  })

  it('is signed by a key that was certified for messages, and not by the one of its connections', async () => {
    const { certificate, key: pem } = await federation.authority.issue('huizhou', 'transport')
    const key = await certifiedKey(readCertificates(certificate))
    if (key === undefined) throw new Error('no key')
    const signer = signerOf(key, createPrivateKey(pem))
    const token = configurationOf({ ...huizhou.described, keys: [key] }, undefined, signer, NOW)
    expect(await outcome(readConfiguration(token, 'huizhou', anchors, NOW * 1000))).toBe('token.certificate')
  })

  it('with a key in no algorithm that is known here is refused', async () => {
    for (const keyKind of ['P-384', 'RSA-3072'] as const) {
      const made = await makeMember({ city: 'huizhou', issuer: await makeRoot(), keyKind })
      expect(await said({ 'jwks.keys.0.x5c': [Buffer.from(made.der).toString('base64')] })).toBe('token.claims')
      expect(await certifiedKey(readCertificates(made.certificate))).toBeUndefined()
    }
  })

  it('is signed by a key whose certificate holds, and for messages', async () => {
    const read = (at: number) =>
      outcome(
        readConfiguration(
          configurationOf(huizhou.described, shipped, huizhou.signer, at),
          'huizhou',
          anchors,
          at * 1000,
        ),
      )
    expect(await read(NOW)).toBe('taken')
    expect(await read(NOW + 31 * DAY)).toBe('token.certificate')
  })
})

describe('a certificate chain', () => {
  it('is the same after it was written as PEM and read again', () => {
    const { chain } = huizhou.signing
    expect(readCertificates(pemOf(chain)).map(({ digest }) => digest)).toEqual(chain.map(({ digest }) => digest))
  })

  it('without a certificate has no key', async () => {
    expect(await certifiedKey([])).toBeUndefined()
  })
})
