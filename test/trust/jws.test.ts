import { generateKeyPairSync, sign } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { compactVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { readJson } from '#protocol/json.ts'
import { Refusal } from '#protocol/refusal.ts'
import { algorithmOf, compact, decode, type Header, proves, readJws } from '#trust/jws.ts'
import { describeVectors } from '../vectors.ts'

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const id = 'A'.repeat(43)
const header: Header = { alg: 'ES256', kid: id, typ: 'credit-query+jwt', 'x5t#S256': id }
const encode = (text: string) => Buffer.from(text).toString('base64url')
const { token } = compact(header, '{"a":1}', privateKey)
const [head = '', payload = '', signature = ''] = token.split('.')

function refusalOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
  return 'none'
}
const reading = (text: string) => refusalOf(() => readJws(text, header.typ))
const withHeader = (members: object) => `${encode(JSON.stringify({ ...header, ...members }))}.${payload}.${signature}`

describe('a token', () => {
  it('that we sign is read, proved, and verified by another implementation', async () => {
    const read = readJws(token, header.typ)
    expect(proves(read, publicKey)).toBe(true)
    expect(decode(read.payload)).toBe('{"a":1}')
    expect(new TextDecoder().decode((await compactVerify(token, publicKey)).payload)).toBe('{"a":1}')
  })

  it('is signed with Ed25519 where the key is of that kind, and with nothing else', async () => {
    const ed = generateKeyPairSync('ed25519')
    expect(algorithmOf(ed.publicKey)).toBe('Ed25519')
    const signed = compact({ ...header, alg: 'Ed25519' }, '{}', ed.privateKey).token
    expect(proves(readJws(signed, header.typ), ed.publicKey)).toBe(true)
    expect((await compactVerify(signed, ed.publicKey)).protectedHeader.alg).toBe('Ed25519')
    expect(algorithmOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey)).toBeUndefined()
  })

  it.each([
    ['with a space at its end', `${token} `],
    ['with a line break inside', `${head}.\n${payload}.${signature}`],
    ['with padding', `${head}.${payload}.${signature}==`],
    ['in standard base64', `${head}.${payload}.${signature.slice(0, -1)}+`],
    [
      'whose last character has unused bits set',
      `${head}.${payload}.${signature.slice(0, -1)}${'AQgw'.includes(signature.slice(-1)) ? 'B' : '?'}`,
    ],
    ['with a part of impossible length', `${head}.${payload}AAA.${signature}`],
  ])('%s is refused before it is parsed', (_, text) => {
    expect(reading(text)).toBe('form.base64')
  })

  it.each([
    ['of two parts', `${head}.${payload}`],
    ['of five parts', `${head}.a.b.c.d`],
    ['without a signature', `${head}.${payload}.`],
    ['without a header', `.${payload}.${signature}`],
    ['that is empty', ''],
  ])('%s is refused', (_, text) => {
    expect(reading(text)).toBe('form.compact')
  })

  it.each([
    ['none', { alg: 'none' }],
    ['None', { alg: 'None' }],
    ['HS256', { alg: 'HS256' }],
    ['ES384', { alg: 'ES384' }],
    ['a number', { alg: 1 }],
    ['a name every object has', { alg: 'constructor' }],
    ['nothing', { alg: undefined }],
  ])('whose algorithm is %s is refused', (_, members) => {
    expect(reading(withHeader(members))).toBe('token.algorithm')
  })

  it.each([
    ['another type', { typ: 'credit-answer+jwt' }],
    ['no type', { typ: undefined }],
    ['the type in capitals', { typ: 'CREDIT-QUERY+JWT' }],
  ])('with %s is refused', (_, members) => {
    expect(reading(withHeader(members))).toBe('token.type')
  })

  it.each(['jku', 'x5u', 'jwk', 'x5c', 'crit', 'zip', 'b64', 'cty', 'constructor'])(
    'whose header holds %s is refused',
    member => {
      expect(reading(withHeader({ [member]: 'https://elsewhere.example/' }))).toBe('token.header')
    },
  )

  it.each([
    ['without kid', { kid: undefined }],
    ['with a path for kid', { kid: '../../etc/passwd' }],
    ['without a certificate digest', { 'x5t#S256': undefined }],
  ])('%s is refused', (_, members) => {
    expect(reading(withHeader(members))).toBe('token.header')
  })

  it('with a header member twice is refused, whichever of the two a reader would take', () => {
    const twice = encode(`{"alg":"none",${JSON.stringify(header).slice(1)}`)
    expect(reading(`${twice}.${payload}.${signature}`)).toBe('form.duplicate')
  })

  it('of which one bit was changed is never proved', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 5 }), (at, bit) => {
        const bytes = Buffer.from(token)
        const place = at % bytes.length
        bytes.writeUInt8(bytes.readUInt8(place) ^ (1 << bit), place)
        const changed = bytes.toString('latin1')
        try {
          expect(proves(readJws(changed, header.typ), publicKey)).toBe(false)
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('signed by another key is not proved', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(proves(readJws(compact(header, '{}', other.privateKey).token, header.typ), publicKey)).toBe(false)
  })

  it('with a DER signature in place of the raw one is refused', () => {
    const der = sign('sha256', Buffer.from(`${head}.${payload}`), privateKey).toString('base64url')
    expect(reading(`${head}.${payload}.${der}`)).toMatch(/token.signature|form.base64/)
  })
})

describe('a JSON text', () => {
  it.each(['{"a":1,"a":2}', '{"a":{"b":1,"b":1}}', '{"a":[{"b":1},{"b":1,"\\u0062":2}]}'])(
    '%s says the same member twice and is refused',
    text => {
      expect(refusalOf(() => readJson(text))).toBe('form.duplicate')
    },
  )

  it.each(['{"a":"b:c","b":["a:b",{"c":":"}]}', '{"":0}', '{"a":"\\":\\\\"}'])(
    '%s says every member once and is read',
    text => {
      expect(readJson(text)).toEqual(JSON.parse(text))
    },
  )

  it.each([
    '',
    '[]',
    '1',
    'null',
    '{',
    '{"a":1}x',
    '\ufeff{}',
    '{"a":{"__proto__":1}}',
    '{"a":NaN}',
    "{'a':1}",
    `${'{"a":'.repeat(13)}1${'}'.repeat(13)}`,
    `{"a":${'['.repeat(100_000)}`,
    '{"a":"\\ud800"}',
  ])('that is no well-formed object is refused (case %#)', text => {
    expect(refusalOf(() => readJson(text))).toBe('form.json')
  })

  it('without doubles is read as the engine reads it, whatever it holds', () => {
    fc.assert(
      fc.property(
        fc
          .dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 8 }))
          .filter(value => !JSON.stringify(value).includes('__proto__')),
        value => {
          const text = JSON.stringify(value)
          expect(readJson(text)).toEqual(JSON.parse(text))
        },
      ),
    )
  })
})

describeVectors('JSONTestSuite/test_parsing', 'the parsing cases of JSONTestSuite', path => {
  // Where the grammar leaves it open (i_): these numbers are read as the engine has them, and no text that is not UTF-8 is.
  const open = readdirSync(path).filter(file => file.startsWith('i_'))
  it.each(open)('%s is read if it is a number, else refused', file => {
    const text = () => decode(readFileSync(join(path, file)).toString('base64url'))
    const outcome = refusalOf(() => readJson(`{"a":${text()}}`))
    expect(outcome).toBe(file.startsWith('i_number') ? 'none' : 'form.json')
  })

  it('are all here', () => {
    const kinds = Map.groupBy(readdirSync(path), file => file.charAt(0))
    expect([...kinds].map(([kind, files]) => [kind, files.length]).sort()).toEqual([
      ['i', 35],
      ['n', 188],
      ['y', 95],
    ])
  })

  for (const file of readdirSync(path)) {
    const expected = { y: 'is read', n: 'is refused' }[file.charAt(0)]
    if (expected === undefined) continue
    it(`${file} ${expected}`, () => {
      const bytes = readFileSync(join(path, file))
      // The suite's texts are any JSON value; ours are objects, so each is put in one.
      const read = refusalOf(() => readJson(`{"a":${decode(bytes.toString('base64url'))}}`)) === 'none'
      const doubled = file.includes('duplicated') || file.includes('same')
      expect(read).toBe(expected === 'is read' && !doubled)
    })
  }
})
