/** Rules of a path that only a chain made for the purpose meets: each refused by its own reason, and what lies just within, accepted. */
import 'reflect-metadata'
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { BasicConstraintsExtension, ExtendedKeyUsageExtension, Extension, KeyUsagesExtension } from '@peculiar/x509'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  CLIENT_AUTH,
  type CrlStore,
  crlStore,
  pathCache,
  readCertificate,
  readCrls,
  SERVER_AUTH,
  SIGNING,
  STATEMENTS,
  TRANSPORT,
  validatePath,
} from '#trust/certificate.ts'
import { elementsOf, onlyElement, SEQUENCE } from '#trust/der.ts'
import {
  daysFromNow,
  element,
  type Made,
  makeCrl,
  makeIssuer,
  makeKeys,
  makeLeaf,
  makeMember,
  makeRoot,
  resign,
} from '../certificates.ts'
import { ask, type More, verdict } from './path.ts'

async function listsOf(...issuers: readonly Made[]): Promise<CrlStore> {
  const store = crlStore()
  for (const issuer of issuers) for (const crl of readCrls(await makeCrl({ issuer }))) store.add(crl)
  return store
}

/** The elements of the signed part: version, serial, algorithm, issuer, validity, subject, key, extensions. */
function fieldOf({ der }: Made, at: number): Uint8Array {
  const [signed] = elementsOf(onlyElement(der, SEQUENCE).content)
  const field = signed && elementsOf(signed.content)[at]
  if (field === undefined) throw new RangeError('no such field')
  return field.whole
}

/** The same certificate for another public key, which signs nothing here. */
function forKey(made: Made, signer: Made, key: Parameters<typeof createPublicKey>[0]): Made {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  return resign(made, signer, fields => fields.with(6, new Uint8Array(spki)))
}

let root: Made
let issuer: Made
let leaf: Made
beforeAll(async () => {
  root = await makeRoot()
  issuer = await makeIssuer({ issuer: root })
  leaf = await makeLeaf({ issuer })
})

describe('a path length', () => {
  test.each([
    [0, 0, 'accepted'],
    [0, 1, 'ca.path-length'],
    [1, 1, 'accepted'],
    [1, 2, 'ca.path-length'],
    [2, 2, 'accepted'],
  ])('of %i with %i issuers below it: %s', async (pathLength, below, expected) => {
    for (const bounded of ['root', 'issuer']) {
      const top = await makeRoot(bounded === 'root' ? { pathLength } : {})
      const chain = bounded === 'issuer' ? [await makeIssuer({ issuer: top, subject: 'CN=Bounded', pathLength })] : []
      for (let i = 0; i < below; i++) {
        chain.push(await makeIssuer({ issuer: chain.at(-1) ?? top, subject: `CN=Below ${i}` }))
      }
      expect(verdict(await makeLeaf({ issuer: chain.at(-1) ?? top }), chain, [top])).toBe(expected)
    }
  })

  test('does not count a certificate for a changed key below it, and counts one that is not', async () => {
    const bounded = await makeIssuer({ issuer: root, subject: 'CN=Bounded', pathLength: 0 })
    const renewed = await makeIssuer({ issuer: bounded, subject: 'CN=Bounded' })
    expect(verdict(await makeLeaf({ issuer: renewed }), [bounded, renewed], [root])).toBe('accepted')
    const below = await makeIssuer({ issuer: renewed, subject: 'CN=Below' })
    expect(verdict(await makeLeaf({ issuer: below }), [bounded, renewed, below], [root])).toBe('ca.path-length')
  })

  test('is nothing that a leaf has to say', async () => {
    expect(verdict(await makeLeaf({ issuer, extensions: { basicConstraints: false } }), [issuer], [root])).toBe(
      'accepted',
    )
  })

  test('cannot be got round by renewing a key for ever: sixteen certificates are the longest path', async () => {
    const renewals = [await makeIssuer({ issuer: root, subject: 'CN=Same' })]
    while (renewals.length < 15) {
      renewals.push(await makeIssuer({ issuer: renewals.at(-1) ?? root, subject: 'CN=Same' }))
    }
    const [last, last2] = [renewals.at(-1) ?? root, renewals.at(-2) ?? root]
    expect(verdict(await makeLeaf({ issuer: last2 }), renewals, [root])).toBe('accepted')
    expect(verdict(await makeLeaf({ issuer: last }), renewals, [root])).toBe('path.too-long')
  })
})

describe('a certificate that names its issuer by that issuer’s own issuer and serial number', () => {
  const NAME = 4
  const dns = element(0x82, Buffer.from('example.com'))
  const named = (key: Made, names: readonly Uint8Array[], serial: string) => {
    const [, , keyId] = [0, 0, readCertificate(key.certificate).subjectKeyIdentifier ?? '']
    return new Extension(
      '2.5.29.35',
      false,
      element(
        SEQUENCE,
        element(0x80, Buffer.from(keyId, 'hex')),
        element(0xa1, ...names),
        element(0x82, Buffer.from(serial, 'hex')),
      ),
    )
  }
  const nameOf = (made: Made, field: 3 | 5) => element(0xa0 | NAME, fieldOf(made, field))
  const issued = (names: readonly Uint8Array[], serial: string) =>
    makeLeaf({ issuer, extensions: { authorityKeyIdentifier: named(issuer, names, serial) } })

  test('is issued by that one', async () => {
    expect(verdict(await issued([nameOf(issuer, 3)], issuer.serial), [issuer], [root])).toBe('accepted')
    expect(verdict(await issued([dns, nameOf(issuer, 3)], issuer.serial), [issuer], [root])).toBe('accepted')
  })

  test('is not issued by one of another serial number, another issuer, or no such name', async () => {
    for (const other of [
      await issued([nameOf(issuer, 3)], root.serial),
      await issued([nameOf(issuer, 5)], issuer.serial),
      await issued([dns], issuer.serial),
    ]) {
      expect(verdict(other, [issuer], [root])).toBe('path.no-issuer')
    }
  })

  test('can be a root that says so of itself, or says nothing', async () => {
    for (const authorityKeyIdentifier of [
      false,
      new Extension(
        '2.5.29.35',
        false,
        element(SEQUENCE, element(0xa1, nameOf(root, 5)), element(0x82, Buffer.from('4711', 'hex'))),
      ),
    ] as const) {
      const other = await makeRoot({ serial: '4711', extensions: { authorityKeyIdentifier } })
      expect(verdict(await makeLeaf({ issuer: other }), [], [other])).toBe('accepted')
    }
  })
})

describe('a root', () => {
  test('whose own signature is false proves nothing', async () => {
    const forged = resign(root, await makeRoot(), fields => fields)
    expect(verdict(leaf, [issuer], [forged])).toBe('path.untrusted-root')
  })

  test('may have the key of the authority below it: entities are told apart by name and key', async () => {
    const twin = await makeIssuer({ issuer: root, keys: root.keys, subject: 'CN=Twin' })
    expect(verdict(await makeLeaf({ issuer: twin }), [twin], [root])).toBe('accepted')
  })

  test('is not found in a ring of issuers, and that is the reason told', async () => {
    const one = await makeIssuer({ issuer: root, subject: 'CN=One' })
    const two = await makeIssuer({ issuer: one, subject: 'CN=Two' })
    const back = await makeIssuer({ issuer: two, keys: one.keys, subject: 'CN=One' })
    expect(verdict(await makeLeaf({ issuer: back }), [two, back], [])).toBe('path.no-issuer')
  })
})

describe('the reason that is told', () => {
  test('is that of the path that came furthest, and of the first one of those', async () => {
    const expired = await makeIssuer({ issuer: root, keys: issuer.keys, notAfter: daysFromNow(-0.1) })
    const future = await makeIssuer({ issuer: root, keys: issuer.keys, notBefore: daysFromNow(1) })
    expect(verdict(leaf, [expired, issuer], [])).toBe('path.no-issuer')
    expect(verdict(leaf, [issuer, expired], [])).toBe('path.no-issuer')
    expect(verdict(leaf, [expired, future], [root])).toBe('validity.expired')
    expect(verdict(leaf, [future, expired], [root])).toBe('validity.not-yet')
  })
})

describe('a key', () => {
  const rsa = (bits: number) => {
    const n = randomBytes(Math.ceil(bits / 8))
    n[0] = bits % 8 === 0 ? 0x80 : 1 << ((bits % 8) - 1)
    n[n.length - 1] = 1
    return { key: { kty: 'RSA', n: n.toString('base64url'), e: 'AQAB' }, format: 'jwk' } as const
  }

  test.each([
    [2048, 'accepted'],
    [8192, 'accepted'],
    [8193, 'key.unusable'],
    [16384, 'key.unusable'],
  ])('of RSA has a size that is neither too easy nor too slow: %i bits', (bits, expected) => {
    expect(verdict(forKey(leaf, issuer, rsa(bits)), [issuer], [root])).toBe(expected)
  })

  test('of RSA for PSS alone is none that is known here', () => {
    const { publicKey } = generateKeyPairSync('rsa-pss', { modulusLength: 2048 })
    expect(
      verdict(forKey(leaf, issuer, { key: publicKey.export({ type: 'spki', format: 'pem' }) }), [issuer], [root]),
    ).toBe('key.unusable')
  })

  describe.each([
    ['ML-DSA-65', () => generateKeyPairSync('ml-dsa-65').publicKey],
    ['SM2', () => generateKeyPairSync('ec', { namedCurve: 'SM2' }).publicKey],
  ])('of %s', (_, make) => {
    const pem = () => ({ key: make().export({ type: 'spki', format: 'pem' }) })
    const usage = (bits: number) => ({ keyUsage: new KeyUsagesExtension(bits, true) })

    test.each([
      ['digitalSignature', usage(1), 'accepted'],
      ['nonRepudiation', usage(2), 'accepted'],
      ['both', usage(3), 'accepted'],
      ['nothing', { keyUsage: false } as const, 'accepted'],
      ['keyEncipherment', usage(4), 'key.unusable'],
      ['digitalSignature and keyAgreement', usage(1 | 16), 'key.unusable'],
    ])('stands at the end of a path, to sign: its usage is %s', async (_name, extensions, expected) => {
      const made = await makeLeaf({ issuer, extensions })
      expect(verdict(forKey(made, issuer, pem()), [issuer], [root])).toBe(expected)
    })

    test('is none of an authority, though it should sign', async () => {
      const authority = await makeIssuer({ issuer: root, extensions: usage(1) })
      expect(verdict(forKey(authority, root, pem()), [], [root])).toBe('key.unusable')
    })

    test('stands in a leaf that says nothing of basic constraints', async () => {
      const made = await makeLeaf({ issuer, extensions: { basicConstraints: false } })
      expect(verdict(forKey(made, issuer, pem()), [issuer], [root])).toBe('accepted')
    })

    test('signs messages of a member, and never makes its connections', async () => {
      const crls = await listsOf(root, issuer)
      const of = async (kind: 'signing' | 'tls' | 'office', purposes: readonly string[]) => {
        const made = await makeMember({ city: 'hangzhou', issuer, kind })
        return verdict(forKey(made, issuer, pem()), [issuer], [root], { crls, purposes, profile: 'federation' })
      }
      expect(await of('signing', [SIGNING])).toBe('accepted')
      expect(await of('tls', TRANSPORT)).toBe('profile.key')
      expect(await of('office', [STATEMENTS])).toBe('profile.key')
    })
  })

  test('of a kind beside those is unusable', () => {
    const { publicKey } = generateKeyPairSync('ml-dsa-44')
    expect(
      verdict(forKey(leaf, issuer, { key: publicKey.export({ type: 'spki', format: 'pem' }) }), [issuer], [root]),
    ).toBe('key.unusable')
  })
})

describe('a certificate without a subject', () => {
  const critical = new Extension('2.5.29.17', true, element(SEQUENCE, element(0x82, Buffer.from('example.com'))))

  test('is named by its alternative name alone, which then has to be critical', async () => {
    const made = (subjectAltName: Extension | false) =>
      makeLeaf({ issuer, subject: '', extensions: { subjectAltName } })
    expect(verdict(await made(critical), [issuer], [root])).toBe('accepted')
    expect(verdict(await made(false), [issuer], [root])).toBe('certificate.subject')
    const plain = new Extension('2.5.29.17', false, new Uint8Array(critical.value))
    expect(verdict(await made(plain), [issuer], [root])).toBe('certificate.subject')
  })

  test('is no authority', async () => {
    const authority = await makeIssuer({ issuer: root, subject: '', extensions: { subjectAltName: critical } })
    expect(verdict(authority, [], [root])).toBe('certificate.subject')
  })

  test('can be one that says nothing of basic constraints', async () => {
    const extensions = { subjectAltName: critical, basicConstraints: false } as const
    expect(verdict(await makeLeaf({ issuer, subject: '', extensions }), [issuer], [root])).toBe('accepted')
  })
})

describe('an extension that is understood', () => {
  test('may be critical, also those on policies, of which nobody here asks for one', async () => {
    const [policies, mappings] = ['2.5.29.32', '2.5.29.33'].map(
      id => new Extension(id, true, element(SEQUENCE, element(SEQUENCE, element(6, Buffer.from('2a0304', 'hex'))))),
    )
    const more = [policies, mappings].filter(each => each !== undefined)
    const authority = await makeIssuer({ issuer: root, subject: 'CN=Policies', more })
    expect(verdict(await makeLeaf({ issuer: authority, more: more.slice(0, 1) }), [authority], [root])).toBe('accepted')
  })
})

describe('a signature of RSA', () => {
  test.each(['SHA-256', 'SHA-384', 'SHA-512'] as const)('is taken with %s', async hash => {
    const keys = await makeKeys('RSA-2048', hash)
    const rsa = await makeRoot({ kind: 'RSA-2048', keys, hash, subject: 'CN=RSA Root' })
    expect(verdict(await makeLeaf({ issuer: rsa, hash }), [], [rsa])).toBe('accepted')
  })
})

describe('an extension that changes what a path means to others', () => {
  test.each([
    ['proxy certificate', '1.3.6.1.5.5.7.1.14'],
    ['addresses', '1.3.6.1.5.5.7.1.7'],
    ['autonomous systems', '1.3.6.1.5.5.7.1.8'],
    ['Netscape’s certificate type', '2.16.840.1.113730.1.1'],
  ])('is refused, critical or not: %s', async (_, id) => {
    for (const isCritical of [true, false]) {
      const made = await makeLeaf({ issuer, more: [new Extension(id, isCritical, element(SEQUENCE))] })
      expect(verdict(made, [issuer], [root])).toBe('extension.refused')
    }
  })
})

describe('an authority asked about itself', () => {
  test('has a key usage', async () => {
    expect(verdict(await makeIssuer({ issuer: root, extensions: { keyUsage: false } }), [], [root])).toBe(
      'ca.key-usage',
    )
    expect(verdict(issuer, [], [root])).toBe('accepted')
  })
})

describe('a name constraint', () => {
  const permitted = (...bases: readonly Uint8Array[]) =>
    new Extension('2.5.29.30', true, element(SEQUENCE, element(0xa0, ...bases.map(each => element(SEQUENCE, each)))))
  const host = (name: string) => element(0x82, Buffer.from(name))
  let directory: Uint8Array
  beforeAll(async () => {
    directory = element(0xa4, fieldOf(await makeLeaf({ issuer, subject: 'O=Within' }), 5))
  })

  test('is for what stands below it, and not for the authority that says it, nor for those above', async () => {
    const bound = await makeIssuer({ issuer, subject: 'CN=Elsewhere', more: [permitted(directory)] })
    expect(verdict(await makeLeaf({ issuer: bound, subject: 'O=Within, CN=a' }), [bound, issuer], [root])).toBe(
      'accepted',
    )
    expect(verdict(await makeLeaf({ issuer: bound, subject: 'O=Without, CN=a' }), [bound, issuer], [root])).toBe(
      'constraints.name',
    )
  })

  test('passes over a certificate for a changed key on the way, and over no other', async () => {
    const bound = await makeIssuer({ issuer: root, subject: 'CN=Same', more: [permitted(directory)] })
    const renewed = await makeIssuer({ issuer: bound, subject: 'CN=Same' })
    const other = await makeIssuer({ issuer: bound, subject: 'CN=Other' })
    const within = (above: Made) => makeLeaf({ issuer: above, subject: 'O=Within, CN=a' })
    expect(verdict(await within(renewed), [renewed, bound], [root])).toBe('accepted')
    expect(verdict(await within(other), [other, bound], [root])).toBe('constraints.name')
  })

  test('holds for a leaf that bears the name of its issuer', async () => {
    const bound = await makeIssuer({ issuer: root, subject: 'CN=Same', more: [permitted(directory)] })
    expect(verdict(await makeLeaf({ issuer: bound, subject: 'CN=Same' }), [bound], [root])).toBe('constraints.name')
  })

  test('looks at a common name like a host in the leaf alone', async () => {
    const bound = await makeIssuer({ issuer: root, more: [permitted(host('example.com'))] })
    const between = await makeIssuer({ issuer: bound, subject: 'CN=ca.example.org' })
    expect(verdict(await makeLeaf({ issuer: between }), [between, bound], [root])).toBe('accepted')
    const named = (subject: string) =>
      makeLeaf({ issuer: bound, subject, email: ['a@example.org'], extensions: { extendedKeyUsage: false } })
    expect(verdict(await named('CN=www.example.org'), [bound], [root])).toBe('constraints.name')
    expect(verdict(await named('CN=www.example.com'), [bound], [root])).toBe('accepted')
  })
})

describe('the work of name constraints', () => {
  const many = Array.from({ length: 600 }, (_, i) => i.toString(36))
  const excluding = (names: readonly string[]) => {
    const bases = names.map(name => element(SEQUENCE, element(0x82, Buffer.from(`${name}.example`))))
    return new Extension('2.5.29.30', true, element(SEQUENCE, element(0xa1, ...bases)))
  }

  test.each<[string, () => Parameters<typeof makeLeaf>[0]]>([
    ['alternative names', () => ({ dns: many.map(each => `${each}.example.com`) })],
    ['mail addresses of the subject', () => ({ subject: many.map(each => `E=${each}@example.com`).join(', ') })],
    ['common names of the subject', () => ({ subject: many.map(each => `CN=${each}`).join(', ') })],
  ])('counts against the budget, also where names are excluded: %s', async (_, names) => {
    const bound = await makeIssuer({ issuer: root, more: [excluding(many)] })
    expect(verdict(await makeLeaf({ issuer: bound, ...names() }), [bound], [root])).toBe('path.budget')
    const free = await makeIssuer({ issuer: root, more: [excluding(many.slice(0, 9))] })
    expect(verdict(await makeLeaf({ issuer: free, ...names() }), [free], [root])).toBe('accepted')
  })
})

describe('a purpose', () => {
  test.each([
    ['messages', SIGNING],
    ['statements', STATEMENTS],
  ])('of signing %s is for a key that may sign', async (_, purpose) => {
    const made = (bits: number) =>
      makeLeaf({ issuer, purposes: [purpose], extensions: { keyUsage: new KeyUsagesExtension(bits, true) } })
    expect(verdict(await made(1), [issuer], [root], { purposes: [purpose] })).toBe('accepted')
    expect(verdict(await made(4 | 16), [issuer], [root], { purposes: [purpose] })).toBe('purpose.key-usage')
  })

  test('of which nothing is known asks nothing of the key usage', async () => {
    const made = await makeLeaf({ issuer, purposes: ['1.2.3.4'] })
    expect(verdict(made, [issuer], [root], { purposes: ['1.2.3.4'] })).toBe('accepted')
  })
})

describe('a name that was asked for', () => {
  test('is the leaf’s, or that is the reason', () => {
    const asked = (value: string) => verdict(leaf, [issuer], [root], { name: { form: 'dns', value } })
    expect(asked('example.com')).toBe('accepted')
    expect(asked('example.org')).toBe('name.mismatch')
  })
})

describe('what is found', () => {
  test('holds while the lists hold as well, through the grace that is granted', async () => {
    const crls = crlStore()
    const [thisUpdate, nextUpdate] = [daysFromNow(-0.2), daysFromNow(0.5)]
    for (const each of [root, issuer]) {
      for (const crl of readCrls(await makeCrl({ issuer: each, thisUpdate, nextUpdate }))) crls.add(crl)
    }
    const of = (more: More) => validatePath(ask(leaf, [issuer], [root], { crls, ...more }))
    expect(of({})).toMatchObject({ ok: true, notBefore: thisUpdate, notAfter: nextUpdate })
    const grace = 3_600_000
    expect(of({ grace })).toMatchObject({ ok: true, notAfter: new Date(+nextUpdate + grace) })
  })

  test('names a city under the federation’s profile alone', async () => {
    const member = await makeMember({ city: 'hangzhou', issuer })
    const crls = await listsOf(root, issuer)
    expect(validatePath(ask(member, [issuer], [root], { crls, profile: 'federation' }))).toMatchObject({
      city: 'hangzhou',
    })
    const plain = validatePath(ask(member, [issuer], [root], { crls }))
    expect([plain.ok, 'city' in plain]).toEqual([true, false])
  })
})

describe('a member certificate', () => {
  let crls: CrlStore
  beforeAll(async () => {
    crls = await listsOf(root, issuer)
  })
  const member = (made: Made, purposes: readonly string[]) =>
    verdict(made, [issuer], [root], { crls, purposes, profile: 'federation' })
  const city = 'hangzhou'

  test('may say nothing of basic constraints, and is no authority, even one that may issue nothing', async () => {
    const of = (basicConstraints: Extension | false) => makeMember({ city, issuer, extensions: { basicConstraints } })
    expect(member(await of(false), [SIGNING])).toBe('accepted')
    expect(member(await of(new BasicConstraintsExtension(true, undefined, true)), [SIGNING])).toBe('profile.leaf')
  })

  test('for connections names both ends in either order', async () => {
    for (const purposes of [
      [SERVER_AUTH, CLIENT_AUTH],
      [CLIENT_AUTH, SERVER_AUTH],
    ]) {
      const extensions = { extendedKeyUsage: new ExtendedKeyUsageExtension(purposes) }
      expect(member(await makeMember({ city, issuer, kind: 'tls', extensions }), TRANSPORT)).toBe('accepted')
    }
  })

  test('names its city by nothing that only ends, or begins, like it', async () => {
    for (const uri of [
      `a${`xinqiao://${city}.city`}`,
      `https://a.example/xinqiao://${city}.city`,
      `xinqiao://${city}.city.a`,
    ]) {
      expect(member(await makeLeaf({ issuer, uri: [uri], purposes: [SIGNING] }), [SIGNING])).toBe('profile.city')
    }
  })

  test('bears no name of a directory beside its city', async () => {
    const names = [element(0x86, Buffer.from(`xinqiao://${city}.city`)), element(0xa4, fieldOf(leaf, 5))]
    const subjectAltName = new Extension('2.5.29.17', false, element(SEQUENCE, ...names))
    expect(member(await makeMember({ city, issuer, extensions: { subjectAltName } }), [SIGNING])).toBe('profile.city')
  })
})

describe('what is remembered', () => {
  test('is given again only within its span, both ends included', async () => {
    const crls = crlStore()
    const [thisUpdate, nextUpdate] = [daysFromNow(-0.2), daysFromNow(0.5)]
    for (const each of [root, issuer]) {
      for (const crl of readCrls(await makeCrl({ issuer: each, thisUpdate, nextUpdate }))) crls.add(crl)
    }
    const validate = pathCache()
    const asked = ask(leaf, [issuer], [root], { crls })
    const first = validate(asked)
    for (const then of [thisUpdate, nextUpdate, asked.at]) expect(validate({ ...asked, at: then })).toBe(first)
    expect(validate({ ...asked, at: new Date(+thisUpdate - 1000) })).toMatchObject({ reason: 'revocation.not-yet' })
  })

  test('serves a question whose lists are of the same instant, and no other', () => {
    const validate = pathCache()
    const asked = ask(leaf, [issuer], [root])
    const first = validate(asked)
    expect(validate({ ...asked, listsAt: new Date(+asked.at) })).toBe(first)
    expect(validate({ ...asked, listsAt: new Date(+asked.at + 1000) })).not.toBe(first)
  })

  test('is of these roots and these issuers, not of as many others', async () => {
    const validate = pathCache()
    const other = await makeRoot({ subject: 'CN=Other Root' })
    expect(validate(ask(leaf, [issuer], [root])).ok).toBe(true)
    expect(validate(ask(leaf, [issuer], [other])).ok).toBe(false)
    expect(validate(ask(leaf, [other], [root])).ok).toBe(false)
  })
})
