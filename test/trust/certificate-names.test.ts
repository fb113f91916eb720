/** Names of RFC 5280: which are well formed, which are equal, which a constraint covers, which a peer may go by. */
import { describe, expect, test } from 'vitest'
import { elementsOf, Malformed, onlyElement, SEQUENCE, SET } from '#trust/der.ts'
import {
  forbiddenName,
  type GeneralName,
  isNamed,
  type NameConstraints,
  type PeerName,
  readAlternativeNames,
  readGeneralName,
  readName,
  readNameConstraints,
} from '#trust/names.ts'
import { element } from '../certificates.ts'

const text = (value: string) => Buffer.from(value, 'latin1')
const types = { CN: '550403', O: '55040a', OU: '55040b', E: '2a864886f70d010901' }

/** A relative distinguished name from pairs of type and encoded value. */
const rdn = (...pairs: [keyof typeof types, Uint8Array][]) =>
  element(SET, ...pairs.map(([type, value]) => element(SEQUENCE, element(6, Buffer.from(types[type], 'hex')), value)))
const utf8 = (value: string) => element(0x0c, Buffer.from(value))
const printable = (value: string) => element(0x13, text(value))
const name = (...rdns: Uint8Array[]) => readName(onlyElement(element(SEQUENCE, ...rdns), SEQUENCE))

describe('distinguished names', () => {
  const same: [string, Uint8Array, Uint8Array][] = [
    ['case', rdn(['CN', utf8('Hangzhou CA')]), rdn(['CN', utf8('hangzhou ca')])],
    ['spaces', rdn(['CN', utf8('Hangzhou CA')]), rdn(['CN', utf8('  Hangzhou \t CA ')])],
    ['string type', rdn(['CN', utf8('Hangzhou')]), rdn(['CN', printable('Hangzhou')])],
    ['Teletex', rdn(['CN', utf8('Zürich')]), rdn(['CN', element(0x14, text('Zürich'))])],
    ['BMP', rdn(['CN', utf8('杭州')]), rdn(['CN', element(0x1e, Buffer.from('676d5dde', 'hex'))])],
    ['order within one part', rdn(['CN', utf8('a')], ['O', utf8('b')]), rdn(['O', utf8('b')], ['CN', utf8('a')])],
  ]
  test.each(same)('are equal whatever their %s', (_what, one, other) => {
    expect(name(one).key).toBe(name(other).key)
  })

  const different: [string, ReturnType<typeof name>, ReturnType<typeof name>][] = [
    ['attribute', name(rdn(['CN', utf8('a')])), name(rdn(['O', utf8('a')]))],
    ['value', name(rdn(['CN', utf8('a')])), name(rdn(['CN', utf8('b')]))],
    [
      'order of parts',
      name(rdn(['CN', utf8('a')]), rdn(['O', utf8('b')])),
      name(rdn(['O', utf8('b')]), rdn(['CN', utf8('a')])),
    ],
    ['grouping', name(rdn(['CN', utf8('a')], ['O', utf8('b')])), name(rdn(['CN', utf8('a')]), rdn(['O', utf8('b')]))],
    ['number of spaces that matters', name(rdn(['CN', utf8('a b')])), name(rdn(['CN', utf8('ab')]))],
    ['case beyond ASCII', name(rdn(['CN', utf8('É')])), name(rdn(['CN', utf8('é')]))],
    ['bytes that look like text', name(rdn(['CN', element(4, text('a'))])), name(rdn(['CN', utf8('#040161')]))],
    ['quotation', name(rdn(['CN', utf8('a","2.5.4.3=b')])), name(rdn(['CN', utf8('a')], ['CN', utf8('b')]))],
  ]
  test.each(different)('differ by %s', (_what, one, other) => {
    expect(one.key).not.toBe(other.key)
  })

  test('say their text, common names and mail addresses', () => {
    const read = name(
      rdn(['O', utf8('Xinqiao')]),
      rdn(['CN', utf8('Hangzhou')], ['E', element(0x16, text('a@example.com'))]),
    )
    expect(read).toMatchObject({
      text: '2.5.4.10=Xinqiao, CN=Hangzhou, 1.2.840.113549.1.9.1=a@example.com',
      commonNames: ['Hangzhou'],
      emails: ['a@example.com'],
    })
    expect(read.rdns).toHaveLength(2)
  })

  test.each([
    ['invalid UTF-8', rdn(['CN', element(0x0c, Buffer.of(0xff))])],
    ['half a UTF-16 unit', rdn(['CN', element(0x1e, Buffer.of(0xd8))])],
    ['a printable string beyond ASCII', rdn(['CN', printable('é')])],
    ['a universal string', rdn(['CN', element(0x1c, Buffer.of(0, 0, 0, 65))])],
    ['an empty part', element(SET)],
    ['an attribute without a value', element(SET, element(SEQUENCE, element(6, Buffer.from(types.CN, 'hex'))))],
    [
      'an attribute of two values',
      element(SET, element(SEQUENCE, element(6, Buffer.from(types.CN, 'hex')), utf8('a'), utf8('b'))),
    ],
    ['no attribute at all', element(SET, element(SEQUENCE))],
    ['a sequence for a set', element(SEQUENCE, element(SEQUENCE, element(6, Buffer.from(types.CN, 'hex')), utf8('a')))],
  ])('are not read with %s', (_what, bad) => {
    expect(() => name(bad)).toThrow(Malformed)
  })
})

const dns = (value: string) => element(0x82, text(value))
const mail = (value: string) => element(0x81, text(value))
const uri = (value: string) => element(0x86, text(value))
const ip = (hex: string) => element(0x87, Buffer.from(hex, 'hex'))
const other = element(0xa0, element(6, Buffer.of(0x2a)), element(0xa0, element(5)))
const registered = element(0x88, Buffer.of(0x2a))
const directory = (...rdns: Uint8Array[]) => element(0xa4, element(SEQUENCE, ...rdns))

const alternative = (...names: Uint8Array[]) => readAlternativeNames(element(SEQUENCE, ...names))

describe('alternative names', () => {
  test.each([
    dns('a'),
    dns('example.com'),
    dns('EXAMPLE.com'),
    dns('*.example.com'),
    dns('a_b.example.com'),
    dns('xn--fiqs8s.example'),
    dns('1.example'),
    dns(`${'a'.repeat(63)}.example`),
    mail('a@example.com'),
    mail('*@example.com'),
    uri('xinqiao://hangzhou.city'),
    uri('urn:a:b'),
    ip('c0000201'),
    ip('20010db8000000000000000000000001'),
    other,
    registered,
    directory(rdn(['CN', utf8('a')])),
  ])('are read: %#', one => {
    expect(alternative(one)).toHaveLength(1)
  })

  const unread: [string, ...Uint8Array[]][] = [
    ['nothing in them'],
    ['an empty host', dns('')],
    ['a leading dot', dns('.example.com')],
    ['a trailing dot', dns('example.com.')],
    ['two dots', dns('a..example.com')],
    ['an address for a host', dns('192.0.2.1')],
    ['a number for a host', dns('1')],
    ['a label of 64', dns(`${'a'.repeat(64)}.example`)],
    ['a host of 254', dns(`${'a.'.repeat(124)}aaaaaa`)],
    ['a leading hyphen', dns('-a.example')],
    ['a trailing hyphen', dns('a-.example')],
    ['a space', dns('a b.example')],
    ['a zero byte', dns('example.com\0.evil.org')],
    ['a wildcard alone', dns('*')],
    ['a wildcard above a single label', dns('*.com')],
    ['a wildcard inside', dns('a.*.example.com')],
    ['half a wildcard', dns('w*.example.com')],
    ['text beyond ASCII', dns('é.example')],
    ['no mailbox', mail('example.com')],
    ['two at signs', mail('a@b@example.com')],
    ['no local part', mail('@example.com')],
    ['no mail host', mail('a@')],
    ['a space in a mailbox', mail('a b@example.com')],
    ['a relative URI', uri('//example.com')],
    ['a URI with a backslash', uri('https://evil.example\\@good.example/')],
    ['a URI with a space', uri('https://a b')],
    ['an address of 3 bytes', ip('c00002')],
    ['an address with its mask', ip('c0000200ffffff00')],
    ['an unknown form', element(0x89, text('x'))],
    ['a constructed host', element(0xa2, text('a'))],
    ['a malformed directory name', element(0xa4, element(SET))],
  ]
  test.each(unread)('are not read with %s', (_what, ...names) => {
    expect(() => alternative(...names)).toThrow(Malformed)
  })
})

const subtrees = (names: readonly Uint8Array[]) => names.map(each => element(SEQUENCE, each))
const constraints = (permitted: readonly Uint8Array[], excluded: readonly Uint8Array[] = []): NameConstraints =>
  readNameConstraints(
    element(
      SEQUENCE,
      ...(permitted.length > 0 ? [element(0xa0, ...subtrees(permitted))] : []),
      ...(excluded.length > 0 ? [element(0xa1, ...subtrees(excluded))] : []),
    ),
  )

const nobody = name()
const holder = (...names: Uint8Array[]) => ({
  subject: nobody,
  alternativeNames: names.length > 0 ? alternative(...names) : [],
})

const v4 = (hex: string) => ip(hex)
const a2001 = '20010db8000000000000000000000001'
const net2001 = `20010db8${'00'.repeat(12)}ffffffff${'00'.repeat(12)}`

describe('name constraints', () => {
  test.each([
    ['host', dns('example.com'), dns('example.com'), true],
    ['host below', dns('www.example.com'), dns('example.com'), true],
    ['host in another case', dns('WWW.Example.COM'), dns('eXample.com'), true],
    ['host with the same end', dns('badexample.com'), dns('example.com'), false],
    ['host above', dns('com'), dns('example.com'), false],
    ['any host', dns('www.example.com'), dns(''), true],
    ['wildcard below', dns('*.example.com'), dns('example.com'), true],
    ['wildcard at the base', dns('*.www.example.com'), dns('example.com'), true],
    ['mailbox', mail('a@example.com'), mail('a@example.com'), true],
    ['mailbox in another case of its host', mail('a@EXAMPLE.com'), mail('a@example.COM'), true],
    ['mailbox in another case of its local part', mail('A@example.com'), mail('a@example.com'), false],
    ['mailbox at a host', mail('a@example.com'), mail('example.com'), true],
    ['mailbox at a host below', mail('a@www.example.com'), mail('example.com'), false],
    ['mailbox below a domain', mail('a@www.example.com'), mail('.example.com'), true],
    ['mailbox at the domain itself', mail('a@example.com'), mail('.example.com'), false],
    ['URI at a host', uri('xinqiao://hangzhou.city'), uri('hangzhou.city'), true],
    ['URI at a host, with everything', uri('https://u@hangzhou.city:443/a?b#c'), uri('Hangzhou.CITY'), true],
    ['URI at a host below', uri('xinqiao://a.hangzhou.city'), uri('hangzhou.city'), false],
    ['URI below a domain', uri('xinqiao://hangzhou.city'), uri('.city'), true],
    ['URI with the host elsewhere', uri('xinqiao://ningbo.city/hangzhou.city'), uri('hangzhou.city'), false],
    ['URI with the host as user', uri('xinqiao://hangzhou.city@ningbo.city'), uri('hangzhou.city'), false],
    ['address', v4('c0000201'), v4('c0000200ffffff00'), true],
    ['address outside', v4('c0000301'), v4('c0000200ffffff00'), false],
    ['address, base not masked', v4('c0000201'), v4('c00002ffffffff00'), true],
    ['address of the other family', ip(a2001), v4('0000000000000000'), false],
    ['address of version 6', ip(a2001), ip(net2001), true],
    ['any address', v4('01020304'), v4('0000000000000000'), true],
    [
      'directory name',
      directory(rdn(['O', utf8('A')]), rdn(['CN', utf8('b')])),
      directory(rdn(['O', printable('a')])),
      true,
    ],
    ['directory name in full', directory(rdn(['O', utf8('A')])), directory(rdn(['O', utf8('a')])), true],
    [
      'directory name above',
      directory(rdn(['O', utf8('A')])),
      directory(rdn(['O', utf8('A')]), rdn(['CN', utf8('b')])),
      false,
    ],
    [
      'directory name not from the top',
      directory(rdn(['CN', utf8('b')]), rdn(['O', utf8('A')])),
      directory(rdn(['O', utf8('A')])),
      false,
    ],
  ])('%s: permitted and excluded agree', (_what, held, base, within) => {
    const [permitted, excluded] = [constraints([base]), constraints([], [base])]
    expect(forbiddenName(holder(held), permitted, true) === undefined).toBe(within)
    expect(forbiddenName(holder(held), excluded, true) === undefined).toBe(!within)
  })

  test('of one form leave the other forms alone', () => {
    const bases = [
      dns('a.example'),
      mail('a.example'),
      uri('a.example'),
      v4('c0000200ffffff00'),
      directory(rdn(['O', utf8('a')])),
      other,
    ]
    const held = [
      dns('b.example'),
      mail('x@b.example'),
      uri('x://b.example'),
      v4('01020304'),
      directory(rdn(['O', utf8('b')])),
      other,
    ]
    for (const [i, base] of bases.entries()) {
      const rest = held.filter((_, j) => j !== i)
      expect(forbiddenName(holder(...rest), constraints([base], [base]), false)).toBeUndefined()
      expect(forbiddenName(holder(...held), constraints([base]), false)).toBeDefined()
    }
  })

  test('of a form that cannot be compared refuse every name of that form, and only that', () => {
    expect(forbiddenName(holder(other), constraints([other]), true)).toBe('other:0')
    expect(forbiddenName(holder(other), constraints([], [other]), true)).toBe('other:0')
    expect(forbiddenName(holder(registered), constraints([], [other]), true)).toBeUndefined()
  })

  test('refuse a URI that names no host', () => {
    for (const held of ['urn:a', 'xinqiao://192.0.2.1', 'xinqiao://[2001:db8::1]/', 'xinqiao:///a']) {
      expect(forbiddenName(holder(uri(held)), constraints([], [uri('.example')]), true)).toBeDefined()
    }
  })

  test('permit what one of several bases covers, and exclude what any does', () => {
    const [a, b] = [dns('a.example'), dns('b.example')]
    expect(forbiddenName(holder(dns('x.b.example')), constraints([a, b]), true)).toBeUndefined()
    expect(forbiddenName(holder(dns('x.b.example')), constraints([], [a, b]), true)).toBe('dns:x.b.example')
    expect(forbiddenName(holder(dns('x.b.example')), constraints([dns('example')], [b]), true)).toBe('dns:x.b.example')
    expect(forbiddenName(holder(dns('c.example'), dns('x.b.example')), constraints([], [b]), true)).toBe(
      'dns:x.b.example',
    )
  })

  test('exclude a wildcard that could stand for an excluded host', () => {
    expect(forbiddenName(holder(dns('*.example.com')), constraints([], [dns('bar.example.com')]), true)).toBeDefined()
    expect(forbiddenName(holder(dns('*.example.com')), constraints([dns('bar.example.com')]), true)).toBeDefined()
    expect(forbiddenName(holder(dns('*.example.com')), constraints([], [dns('bar.example.org')]), true)).toBeUndefined()
    expect(
      forbiddenName(holder(dns('www.example.com')), constraints([], [dns('a.www.example.com')]), true),
    ).toBeUndefined()
  })

  test('reach the subject and the mail address in it', () => {
    const subject = name(rdn(['O', utf8('A')]), rdn(['E', element(0x16, text('a@example.org'))]))
    const held = { subject, alternativeNames: [] }
    expect(forbiddenName(held, constraints([], [directory(rdn(['O', utf8('a')]))]), false)).toMatch(/^dn:/)
    expect(forbiddenName(held, constraints([], [mail('example.org')]), false)).toBe('email:a@example.org')
    expect(forbiddenName(held, constraints([mail('example.com')]), false)).toBe('email:a@example.org')
    expect(
      forbiddenName({ subject: nobody, alternativeNames: [] }, constraints([directory(rdn(['O', utf8('a')]))]), false),
    ).toBeUndefined()
    const garbled = { subject: name(rdn(['E', element(0x16, text('nobody'))])), alternativeNames: [] }
    expect(forbiddenName(garbled, constraints([], [mail('example.org')]), false)).toBe('email:nobody')
  })

  test('reach a common name that looks like a host, on the last certificate without a DNS name', () => {
    const subject = name(rdn(['CN', utf8('WWW.example.org')]))
    const bare = { subject, alternativeNames: [] }
    const limits = constraints([dns('example.com')])
    expect(forbiddenName(bare, limits, true)).toBe('dns:www.example.org')
    expect(forbiddenName(bare, limits, false)).toBeUndefined()
    expect(
      forbiddenName({ subject, alternativeNames: alternative(dns('a.example.com')) }, limits, true),
    ).toBeUndefined()
    for (const plain of ['Hangzhou', 'Zhang San', '.example.org']) {
      expect(
        forbiddenName({ subject: name(rdn(['CN', utf8(plain)])), alternativeNames: [] }, limits, true),
      ).toBeUndefined()
    }
  })

  test.each([
    ['a wildcard', dns('*.example.com')],
    ['a leading dot on a host', dns('.example.com')],
    ['a URI for a host', uri('https://example.com')],
    ['an empty mailbox', mail('')],
    ['two at signs', mail('a@b@example.com')],
    ['a network of 5 bytes', ip('c000020018')],
    ['an address without a mask', ip('c0000201')],
    ['a mask with a gap', ip('c0000200ff00ff00')],
    ['an unknown form', element(0x89)],
  ])('are not read with %s', (_what, base) => {
    expect(() => constraints([base])).toThrow(Malformed)
    expect(() => constraints([], [base])).toThrow(Malformed)
  })

  test('are not read with a minimum, a maximum or a field more', () => {
    const [minimum, maximum] = [element(0x80, Buffer.of(0)), element(0x81, Buffer.of(1))]
    for (const more of [minimum, maximum]) {
      const subtree = element(SEQUENCE, dns('example.com'), more)
      expect(() => readNameConstraints(element(SEQUENCE, element(0xa0, subtree)))).toThrow(Malformed)
    }
    expect(() => readNameConstraints(element(SEQUENCE, element(0xa0, element(SEQUENCE))))).toThrow(Malformed)
    expect(() => readNameConstraints(element(SEQUENCE, element(0xa2, element(SEQUENCE, dns('a')))))).toThrow(Malformed)
  })
})

describe('a peer', () => {
  const named = (peer: PeerName, ...names: Uint8Array[]) => isNamed(alternative(...names), peer)
  const host = (value: string): PeerName => ({ form: 'dns', value })
  const at = (value: string): PeerName => ({ form: 'ip', value })

  test('goes by a host in any case, and by no other', () => {
    expect(named(host('WWW.example.com'), dns('a.example'), dns('www.Example.com'))).toBe(true)
    for (const asked of ['example.com', 'www.example.com.', 'wwww.example.com', '', '*.example.com']) {
      expect(named(host(asked), dns('www.example.com'))).toBe(false)
    }
  })

  test('goes by a wildcard for exactly one label', () => {
    expect(named(host('www.example.com'), dns('*.example.com'))).toBe(true)
    for (const asked of ['example.com', 'a.b.example.com', '.example.com', '*.example.com', 'a_.example.com.']) {
      expect(named(host(asked), dns('*.example.com'))).toBe(false)
    }
  })

  test('goes by an address however it is written', () => {
    expect(named(at('192.0.2.1'), v4('c0000201'))).toBe(true)
    expect(named(at('192.0.2.2'), v4('c0000201'))).toBe(false)
    for (const asked of ['2001:db8::1', '2001:DB8:0:0:0:0:0:1', '2001:0db8::0.0.0.1'])
      expect(named(at(asked), ip(a2001))).toBe(true)
    expect(named(at('::1'), ip(`${'00'.repeat(15)}01`))).toBe(true)
    expect(named(at('::'), ip('00'.repeat(16)))).toBe(true)
    expect(named(at('1::'), ip(`0001${'00'.repeat(14)}`))).toBe(true)
    expect(named(at('::ffff:192.0.2.1'), v4('c0000201'))).toBe(false)
    for (const asked of ['192.0.2.01', '192.0.2', '', 'fe80::1%eth0', 'example.com']) {
      expect(named(at(asked), v4('c0000201'), ip(a2001))).toBe(false)
    }
  })

  test('goes by a mailbox or a URI as it stands', () => {
    const [a, b]: PeerName[] = [
      { form: 'email', value: 'a@EXAMPLE.com' },
      { form: 'email', value: 'example.com' },
    ]
    expect(a && named(a, mail('a@example.com'))).toBe(true)
    expect(b && named(b, mail('a@example.com'))).toBe(false)
    const city = (value: string): PeerName => ({ form: 'uri', value })
    expect(named(city('xinqiao://hangzhou.city'), uri('xinqiao://hangzhou.city'))).toBe(true)
    expect(named(city('xinqiao://hangzhou.city/'), uri('xinqiao://hangzhou.city'))).toBe(false)
  })

  test('of one form is not found among names of another', () => {
    expect(named(host('hangzhou.city'), uri('xinqiao://hangzhou.city'), mail('a@hangzhou.city'))).toBe(false)
    expect(named(at('192.0.2.1'), dns('a.example'))).toBe(false)
  })
})

test('a general name says its form', () => {
  const forms = [mail('a'), dns('a'), uri('a'), ip(''), directory(), other, element(0xa3), element(0xa5), registered]
  const read = (bytes: Uint8Array): GeneralName['form'][] => elementsOf(bytes).map(each => readGeneralName(each).form)
  expect(forms.flatMap(read)).toEqual(['email', 'dns', 'uri', 'ip', 'dn', 'other', 'other', 'other', 'other'])
})
