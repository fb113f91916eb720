/** The federation's closed profile on top of RFC 5280. */
import 'reflect-metadata'
import { BasicConstraintsExtension, ExtendedKeyUsageExtension, KeyUsagesExtension } from '@peculiar/x509'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  type CrlStore,
  crlStore,
  readCertificate,
  readCrls,
  SIGNING,
  TRANSPORT,
  validatePath,
} from '#trust/certificate.ts'
import {
  type CrlOptions,
  clientAuth,
  type Made,
  makeCrl,
  makeIssuer,
  makeKeys,
  makeLeaf,
  makeMember,
  makeRoot,
  memberSigning,
  newSerial,
  serverAuth,
} from '../certificates.ts'

const at = new Date()
let root: Made
let issuer: Made
let crls: CrlStore
beforeAll(async () => {
  root = await makeRoot()
  issuer = await makeIssuer({ issuer: root })
  crls = await listsOf(root, issuer)
})

async function listsOf(...issuers: Made[]): Promise<CrlStore> {
  const store = crlStore()
  for (const each of issuers) await addList(store, { issuer: each })
  return store
}

async function addList(store: CrlStore, options: CrlOptions): Promise<void> {
  for (const crl of readCrls(await makeCrl(options))) store.add(crl)
}

function check(leaf: Made, purposes: readonly string[] = [], untrusted: readonly Made[] = [issuer], lists = crls) {
  const read = (made: Made) => readCertificate(made.certificate)
  const result = validatePath({
    leaf: read(leaf),
    untrusted: untrusted.map(read),
    roots: [read(root)],
    at,
    crls: lists,
    purposes,
    profile: 'federation',
  })
  return result.ok ? result.city : result.reason
}

describe('a member certificate', () => {
  test.each(['P-256', 'P-384', 'Ed25519', 'RSA-3072'] as const)('with a %s key proves its city', async keyKind => {
    expect(check(await makeMember({ issuer, city: 'hangzhou', keyKind }), [SIGNING])).toBe('hangzhou')
  })

  test.each(['P-521', 'RSA-2048'] as const)('with a %s key is refused', async keyKind => {
    expect(check(await makeMember({ issuer, city: 'hangzhou', keyKind }), [SIGNING])).toBe('profile.key')
  })

  test('is refused when its issuer has a key too weak', async () => {
    const weak = await makeIssuer({ issuer: root, kind: 'RSA-2048' })
    expect(check(await makeMember({ issuer: weak, city: 'hangzhou' }), [SIGNING], [weak])).toBe('profile.key')
  })

  test('serves for what it was made and for nothing else', async () => {
    const signing = await makeMember({ issuer, city: 'hangzhou' })
    const tls = await makeMember({
      issuer,
      city: 'hangzhou',
      kind: 'tls',
      dns: ['gateway.hangzhou.example'],
      ip: ['10.0.0.1'],
    })
    expect(check(signing, [SIGNING])).toBe('hangzhou')
    expect(check(tls, TRANSPORT)).toBe('hangzhou')
    expect(check(signing, TRANSPORT)).toBe('purpose.extended-key-usage')
    expect(check(tls, [SIGNING])).toBe('purpose.extended-key-usage')
  })

  test.each([
    ['signing and TLS', [memberSigning, serverAuth, clientAuth]],
    ['a server only', [serverAuth]],
    ['a client only', [clientAuth]],
    ['something else', ['1.3.6.1.5.5.7.3.3']],
  ])('is refused when made for %s', async (_what, purposes) => {
    expect(check(await makeMember({ issuer, city: 'hangzhou', purposes }))).toBe('profile.purpose')
  })

  test('is refused without extended key usage', async () => {
    const free = await makeMember({ issuer, city: 'hangzhou', extensions: { extendedKeyUsage: false } })
    expect(check(free, [SIGNING])).toBe('profile.purpose')
  })

  test.each([
    ['no URI', []],
    ['two URIs', ['xinqiao://hangzhou.city', 'xinqiao://ningbo.city']],
    ['another scheme', ['https://hangzhou.city']],
    ['another case', ['xinqiao://Hangzhou.city']],
    ['a path', ['xinqiao://hangzhou.city/']],
    ['a port', ['xinqiao://hangzhou.city:443']],
    ['a user', ['xinqiao://ningbo@hangzhou.city']],
    ['a further label', ['xinqiao://a.hangzhou.city']],
    ['a city of one letter', ['xinqiao://h.city']],
    ['a city of 32 letters', [`xinqiao://${'h'.repeat(32)}.city`]],
    ['a city that begins with a digit', ['xinqiao://4hangzhou.city']],
    ['no city at all', ['xinqiao://.city']],
  ])('is refused with %s', async (_what, uri) => {
    const made = await makeLeaf({
      issuer,
      uri,
      purposes: [memberSigning],
      ...(uri.length === 0 && { dns: ['hangzhou.city'] }),
    })
    expect(check(made, [SIGNING])).toBe('profile.city')
  })

  test('takes a city of two and of 31 letters', async () => {
    for (const city of ['hz', `h${'-4'.repeat(15)}`]) {
      expect(check(await makeMember({ issuer, city }), [SIGNING])).toBe(city)
    }
  })

  test('is refused when it signs and bears a further name', async () => {
    const city = 'hangzhou'
    expect(check(await makeMember({ issuer, city, dns: ['hangzhou.example'] }), [SIGNING])).toBe('profile.city')
    expect(check(await makeMember({ issuer, city, kind: 'tls', email: ['a@hangzhou.example'] }), TRANSPORT)).toBe(
      'profile.city',
    )
  })

  test('is never named by its common name', async () => {
    const made = await makeLeaf({ issuer, subject: 'CN=xinqiao://hangzhou.city', purposes: [memberSigning] })
    expect(check(made, [SIGNING])).toBe('profile.city')
  })

  test('is refused with a wildcard in a name or in its subject', async () => {
    const city = 'hangzhou'
    expect(check(await makeMember({ issuer, city, kind: 'tls', dns: ['*.hangzhou.example'] }), TRANSPORT)).toBe(
      'profile.wildcard',
    )
    expect(check(await makeMember({ issuer, city, subject: 'CN=*.hangzhou' }), [SIGNING])).toBe('profile.wildcard')
  })

  test('is refused when it is a CA', async () => {
    const ca = await makeMember({
      issuer,
      city: 'hangzhou',
      extensions: {
        basicConstraints: new BasicConstraintsExtension(true, undefined, true),
        keyUsage: new KeyUsagesExtension(1 | 32, true),
      },
    })
    expect(check(ca, [SIGNING])).toBe('profile.leaf')
  })

  test.each([
    ['no key usage', false],
    ['more than digitalSignature', new KeyUsagesExtension(1 | 4, true)],
    ['nonRepudiation alone', new KeyUsagesExtension(2, true)],
  ] as const)('is refused with %s', async (_what, keyUsage) => {
    expect(check(await makeMember({ issuer, city: 'hangzhou', extensions: { keyUsage } }))).toBe('profile.leaf')
  })

  test.each([
    [7, 'profile.serial'],
    [8, 'hangzhou'],
    [20, 'hangzhou'],
    [21, 'certificate.serial'],
  ])('with a serial number of %i bytes gives %s', async (size, expected) => {
    const serial = newSerial()
      .repeat(2)
      .slice(0, size * 2)
    expect(check(await makeMember({ issuer, city: 'hangzhou', serial }), [SIGNING])).toBe(expected)
  })
})

describe('a member path', () => {
  test('has at most five certificates', async () => {
    const second = await makeIssuer({ issuer, subject: 'CN=Second' })
    const third = await makeIssuer({ issuer: second, subject: 'CN=Third' })
    const fourth = await makeIssuer({ issuer: third, subject: 'CN=Fourth' })
    const lists = await listsOf(root, issuer, second, third, fourth)
    const untrusted = [issuer, second, third, fourth]
    expect(check(await makeMember({ issuer: third, city: 'hangzhou' }), [SIGNING], untrusted, lists)).toBe('hangzhou')
    expect(check(await makeMember({ issuer: fourth, city: 'hangzhou' }), [SIGNING], untrusted, lists)).toBe(
      'profile.depth',
    )
  })

  test('is refused without lists of revoked certificates', async () => {
    const leaf = await makeMember({ issuer, city: 'hangzhou' })
    const read = (made: Made) => readCertificate(made.certificate)
    const question = {
      leaf: read(leaf),
      untrusted: [read(issuer)],
      roots: [read(root)],
      at,
      profile: 'federation',
    } as const
    expect(validatePath(question)).toMatchObject({ ok: false, reason: 'revocation.missing' })
    expect(check(leaf, [SIGNING], [issuer], crlStore())).toBe('revocation.missing')
    expect(check(leaf, [SIGNING], [issuer], await listsOf(root))).toBe('revocation.missing')
    expect(check(leaf, [SIGNING], [issuer], await listsOf(issuer))).toBe('revocation.missing')
  })

  test('is refused when the member or its issuer is revoked', async () => {
    const leaf = await makeMember({ issuer, city: 'hangzhou' })
    const memberRevoked = await listsOf(root)
    await addList(memberRevoked, { issuer, revoked: [leaf] })
    expect(check(leaf, [SIGNING], [issuer], memberRevoked)).toBe('revocation.revoked')
    const issuerRevoked = await listsOf(issuer)
    await addList(issuerRevoked, { issuer: root, revoked: [issuer] })
    expect(check(leaf, [SIGNING], [issuer], issuerRevoked)).toBe('revocation.revoked')
  })

  test('binds a city to an issuer that may name only it', async () => {
    const { Extension } = await import('@peculiar/x509')
    const { element } = await import('../certificates.ts')
    const only = element(0x30, element(0xa0, element(0x30, element(0x86, Buffer.from('hangzhou.city')))))
    const local = await makeIssuer({
      issuer: root,
      subject: 'CN=Hangzhou CA',
      more: [new Extension('2.5.29.30', true, only)],
    })
    const lists = await listsOf(root, local)
    expect(check(await makeMember({ issuer: local, city: 'hangzhou' }), [SIGNING], [local], lists)).toBe('hangzhou')
    expect(check(await makeMember({ issuer: local, city: 'ningbo' }), [SIGNING], [local], lists)).toBe(
      'constraints.name',
    )
  })

  test('is lent its purpose by an issuer that has purposes', async () => {
    const tlsOnly = await makeIssuer({
      issuer: root,
      subject: 'CN=TLS CA',
      extensions: { extendedKeyUsage: new ExtendedKeyUsageExtension([serverAuth, clientAuth]) },
    })
    const lists = await listsOf(root, tlsOnly)
    const [tls, signing] = await Promise.all([
      makeMember({ issuer: tlsOnly, city: 'hangzhou', kind: 'tls' }),
      makeMember({ issuer: tlsOnly, city: 'hangzhou' }),
    ])
    expect(check(tls, TRANSPORT, [tlsOnly], lists)).toBe('hangzhou')
    expect(check(signing, [SIGNING], [tlsOnly], lists)).toBe('purpose.extended-key-usage')
  })

  test('names its span: nothing in it, nor a list it rests on, lives longer', async () => {
    const leaf = await makeMember({ issuer, city: 'hangzhou', keys: await makeKeys() })
    const read = (made: Made) => readCertificate(made.certificate)
    const result = validatePath({
      leaf: read(leaf),
      untrusted: [read(issuer)],
      roots: [read(root)],
      at,
      crls,
      profile: 'federation',
    })
    const ends = crls.list().map(crl => crl.nextUpdate.getTime())
    expect(result.ok && result.notAfter.getTime()).toBe(Math.min(...ends))
  })
})
