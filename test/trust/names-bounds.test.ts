/** Names that look like what is permitted and are not, ranges to the bit, and texts that compare equal only where they are. */
import { describe, expect, it } from 'vitest'
import { Malformed, onlyElement, SEQUENCE, SET } from '#trust/der.ts'
import {
  forbiddenName,
  isNamed,
  type NameConstraints,
  readAlternativeNames,
  readName,
  readNameConstraints,
} from '#trust/names.ts'
import { element } from '../certificates.ts'

const tags = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const
type Form = keyof typeof tags
const general = (form: Form, value: string | Uint8Array) =>
  element(tags[form], typeof value === 'string' ? Buffer.from(value) : value)

/** An address and its mask, or an address alone, in hexadecimal. */
const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex')

function constraints(form: Form, base: string | Uint8Array, list: 0 | 1 = 0): NameConstraints {
  return readNameConstraints(element(SEQUENCE, element(0xa0 | list, element(SEQUENCE, general(form, base)))))
}
const nameless = readName(onlyElement(element(SEQUENCE), SEQUENCE))
const namesOf = (form: Form, value: string | Uint8Array) =>
  readAlternativeNames(element(SEQUENCE, general(form, value)))
function permitted(form: Form, base: string | Uint8Array, value: string | Uint8Array): boolean {
  const holder = { subject: nameless, alternativeNames: namesOf(form, value) }
  return forbiddenName(holder, constraints(form, base), true) === undefined
}

describe('a URI under a permitted host', () => {
  it.each([
    ['http://example.com/', true],
    ['http://example.com:8443/a', true],
    ['http://a@example.com/', true],
    ['HTTP://EXAMPLE.COM', true],
    ['http://www.example.com/', false],
    ['http://example.com.evil.example/', false],
    ['http://evil.example/example.com', false],
    ['http://evil.example?example.com', false],
    ['http://evil.example#@example.com', false],
    ['http://example.com@evil.example/', false],
    ['http://exam:80ple.com/', false],
    ['urn:x:http://example.com/', false],
    ['mailto:a@example.com', false],
    ['http://192.0.2.1/', false],
  ])('%s: %s', (uri, expected) => {
    expect(permitted('uri', 'example.com', uri)).toBe(expected)
  })

  it('with a dot in front is one below it, and no longer name of another end', () => {
    expect(permitted('uri', '.example.com', 'http://www.example.com/')).toBe(true)
    expect(permitted('uri', '.example.com', 'http://www.www.example.com/')).toBe(true)
    expect(permitted('uri', '.example.com', 'http://example.com/')).toBe(false)
    expect(permitted('uri', '.example.com', 'http://a.much.longer.name.example/')).toBe(false)
  })
})

describe('a mailbox', () => {
  it.each([
    ['alice@example.com', 'alice@example.com', true],
    ['alice@example.com', 'alice@EXAMPLE.com', true],
    ['alice@example.com', 'Alice@example.com', false],
    ['alice@example.com', 'bob@example.com', false],
    ['alice@example.com', 'alice@example.org', false],
    ['example.com', 'alice@example.com', true],
    ['example.com', 'alice@www.example.com', false],
    ['.example.com', 'alice@www.example.com', true],
    ['.example.com', 'alice@a.much.longer.name.example', false],
  ])('permitted by %s: %s is %s', (base, value, expected) => {
    expect(permitted('email', base, value)).toBe(expected)
  })

  it('that was asked for is the very one, and a host is no mailbox', () => {
    const names = namesOf('email', 'alice@example.com')
    expect(isNamed(names, { form: 'email', value: 'alice@example.com' })).toBe(true)
    for (const value of ['bob@example.com', 'alice@example.org', 'example.com', '.com', 'alice']) {
      expect(isNamed(names, { form: 'email', value })).toBe(false)
    }
  })
})

describe('an address', () => {
  it.each([
    ['0a001000 fffff000', '0a001105', true],
    ['0a001000 fffff000', '0a001fff', true],
    ['0a001000 fffff000', '0a002000', false],
    ['0a001000 fffff000', '0a000fff', false],
    ['0a001000 ffffffff', '0a001000', true],
    ['0a001000 ffffffff', '0a001001', false],
    ['00000000 00000000', 'c0000201', true],
    [`20010db8${'00'.repeat(12)} ffffffff${'00'.repeat(12)}`, `20010db8${'ff'.repeat(12)}`, true],
    [`20010db8${'00'.repeat(12)} ffffffff${'00'.repeat(12)}`, `20010db9${'00'.repeat(12)}`, false],
    [`20010db8${'00'.repeat(12)} ffffffff${'00'.repeat(12)}`, '20010db8', false],
    ['20010db8 ffffffff', `20010db8${'00'.repeat(12)}`, false],
  ])('in the range %s: %s is %s', (range, address, expected) => {
    expect(permitted('ip', bytes(range), bytes(address))).toBe(expected)
  })

  it.each(['0a001000 ff01ff00', '0a001000 ff010000', '0a001000 ffffff01', '0a00 ffff', '0a00100000 ffffffffff'])(
    'has no range that is not a prefix of one family: %s',
    range => {
      expect(() => constraints('ip', bytes(range))).toThrow(Malformed)
    },
  )

  it.each([
    ['::', '00'.repeat(16)],
    ['::1', `${'00'.repeat(15)}01`],
    ['1::', `0001${'00'.repeat(14)}`],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['2001:DB8::a:0:b', `20010db8${'00'.repeat(6)}000a0000000b`],
    ['::ffff:192.0.2.1', `${'00'.repeat(10)}ffffc0000201`],
    ['192.0.2.1', 'c0000201'],
  ])('written as %s is known by its bytes', (text, hex) => {
    expect(isNamed(namesOf('ip', bytes(hex)), { form: 'ip', value: text })).toBe(true)
    const other = bytes(hex)
    other[other.length - 1] = (other.at(-1) ?? 0) ^ 1
    expect(isNamed(namesOf('ip', other), { form: 'ip', value: text })).toBe(false)
  })

  it.each(['fe80::1%eth0', '1.2.3', '', 'example.com'])('is not %s', text => {
    for (const hex of ['01020003', `fe80${'00'.repeat(13)}01`]) {
      expect(isNamed(namesOf('ip', bytes(hex)), { form: 'ip', value: text })).toBe(false)
    }
  })
})

describe('a name', () => {
  it('is of its own form: the same text in another one is another name', () => {
    const uri = namesOf('uri', 'a:b')
    for (const form of ['dns', 'email', 'ip'] as const) expect(isNamed(uri, { form, value: 'a:b' })).toBe(false)
    expect(isNamed(uri, { form: 'uri', value: 'a:b' })).toBe(true)
    expect(isNamed(namesOf('dns', 'example.com'), { form: 'uri', value: 'example.com' })).toBe(false)
  })

  it.each<[Form, string]>([
    ['uri', '1http://example.com/'],
    ['uri', '://example.com/'],
    ['uri', 'a:'],
    ['uri', 'a:b c'],
    ['dns', 'example.12'],
    ['dns', 'example.1'],
    ['dns', '10.0.0.1'],
    ['dns', 'a..example.com'],
    ['dns', '-a.example.com'],
    ['email', 'example.com'],
    ['email', 'a@b@example.com'],
    ['email', '@example.com'],
    ['email', 'a b@example.com'],
  ])('that is none is refused: %s %s', (form, value) => {
    expect(() => namesOf(form, value)).toThrow(Malformed)
  })

  it.each<[Form, string]>([
    ['dns', 'example.1a'],
    ['dns', '163.com'],
    ['dns', 'a.12b'],
    ['email', 'alice.b+c@example.com'],
    ['uri', 'x1+.-:y'],
  ])('that is one is read: %s %s', (form, value) => {
    expect(namesOf(form, value)).toEqual([{ form, value }])
  })
})

describe('a constraint', () => {
  it.each<[Form, string]>([
    ['uri', 'alice@example.com'],
    ['uri', 'a..example.com'],
    ['uri', '..example.com'],
    ['uri', ''],
    ['email', 'a..example.com'],
    ['email', '..example.com'],
    ['email', ''],
    ['dns', '.example.com'],
    ['dns', 'a..example.com'],
  ])('that is none is refused: %s %j', (form, base) => {
    expect(() => constraints(form, base)).toThrow(Malformed)
  })

  it('has two lists and nothing behind them', () => {
    const list = element(0xa0, element(SEQUENCE, general('dns', 'example.com')))
    expect(readNameConstraints(element(SEQUENCE, list))).toEqual({
      permitted: [{ form: 'dns', value: 'example.com' }],
      excluded: [],
    })
    expect(() => readNameConstraints(element(SEQUENCE, list, element(0xa2)))).toThrow(Malformed)
    expect(() => readNameConstraints(element(SEQUENCE))).toThrow(Malformed)
    expect(() => readNameConstraints(element(SEQUENCE, element(0xa0)))).toThrow(Malformed)
  })
})

describe('a directory name', () => {
  const COMMON_NAME = bytes('0603550403')
  const nameWith = (...attribute: readonly Uint8Array[]) =>
    readName(onlyElement(element(SEQUENCE, element(SET, element(SEQUENCE, ...attribute))), SEQUENCE))
  const utf8 = (text: string) => nameWith(COMMON_NAME, element(0x0c, Buffer.from(text)))

  it.each([
    ['a b', 'a \t\n\v\f\r b', true],
    ['a b', ' A  B ', true],
    ['a b', 'ab', false],
    ['é', 'É', false],
    ['a', '\ufeffa', false],
  ])('of %j and one of %j are equal: %s', (one, other, expected) => {
    expect(utf8(one).key === utf8(other).key).toBe(expected)
  })

  it('in two bytes a character keeps its mark of order as a character', () => {
    const wide = (hex: string) => nameWith(COMMON_NAME, element(0x1e, bytes(hex)))
    expect(wide('0061').key).toBe(utf8('a').key)
    expect(wide('feff 0061').key).not.toBe(utf8('a').key)
  })

  it('of a value that is no text is equal to the very same bytes alone, and never to a text', () => {
    const opaque = (hex: string) => nameWith(COMMON_NAME, element(0x04, bytes(hex)))
    expect(opaque('61').key).toBe(opaque('61').key)
    expect(opaque('61').key).not.toBe(opaque('62').key)
    expect(opaque('61').key).not.toBe(utf8('a').key)
    expect(utf8('#040161').key).not.toBe(opaque('61').key)
  })

  it('has attributes of a type and one value', () => {
    expect(() => nameWith()).toThrow(Malformed)
    expect(() => nameWith(COMMON_NAME)).toThrow(Malformed)
    expect(() => nameWith(COMMON_NAME, element(0x0c), element(0x0c))).toThrow(Malformed)
  })
})
