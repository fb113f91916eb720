/** RFC 5280 paths; what one broken field does is compared with OpenSSL in openssl.test.ts, here is what OpenSSL cannot show. */
import 'reflect-metadata'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsagesExtension,
} from '@peculiar/x509'
import { beforeAll, describe, expect, test } from 'vitest'
import { CLIENT_AUTH, pathCache, readCertificate, SERVER_AUTH, validatePath } from '#trust/certificate.ts'
import { crlStore, readCrls } from '#trust/revocation.ts'
import {
  daysFromNow,
  element,
  type Made,
  makeCrl,
  makeIssuer,
  makeKeys,
  makeLeaf,
  makeRoot,
  resign,
} from '../certificates.ts'
import { ask, verdict } from './path.ts'

let root: Made
let issuer: Made
let leaf: Made
beforeAll(async () => {
  root = await makeRoot()
  issuer = await makeIssuer({ issuer: root })
  leaf = await makeLeaf({ issuer })
})

describe('a path', () => {
  test('is given leaf first and root last, with the span in which it holds', async () => {
    const span = { notBefore: daysFromNow(-0.5), notAfter: daysFromNow(2) }
    const brief = await makeIssuer({ issuer: root, ...span })
    const result = validatePath(ask(await makeLeaf({ issuer: brief, subject: 'CN=x' }), [brief], [root]))
    expect(result).toMatchObject({ ok: true, ...span })
    expect(result.ok && result.path.map(each => each.subject.text)).toEqual([
      'CN=x',
      'CN=Test Issuing CA',
      'CN=Test Federation Root',
    ])
  })

  test('is found whatever the order and number of certificates offered', async () => {
    const lower = await makeIssuer({ issuer, subject: 'CN=Lower' })
    const strangers = await Promise.all([1, 2, 3].map(i => makeIssuer({ subject: `CN=Stranger ${i}` })))
    const below = await makeLeaf({ issuer: lower })
    expect(verdict(below, [...strangers, lower, issuer, lower], [root])).toBe('accepted')
    expect(verdict(below, [issuer, root, lower], [root])).toBe('accepted')
  })

  test('is found round an expired issuer of the same name and key', async () => {
    const expired = await makeIssuer({ issuer: root, keys: issuer.keys, notAfter: daysFromNow(-0.1) })
    expect(verdict(leaf, [expired, issuer], [root])).toBe('accepted')
    expect(verdict(leaf, [expired], [root])).toBe('validity.expired')
  })

  test('is found when the first way up is a dead end several certificates long', async () => {
    const otherRoot = await makeRoot({ subject: 'CN=Other Root' })
    const bridge = await makeIssuer({ issuer: otherRoot, subject: 'CN=Bridge' })
    const cross = await makeIssuer({ issuer: bridge, keys: issuer.keys })
    expect(verdict(leaf, [cross, bridge, issuer], [root])).toBe('accepted')
    expect(verdict(leaf, [cross, bridge], [root])).toBe('path.no-issuer')
  })

  test('is found when the first complete one is forbidden and another is not', async () => {
    const narrow = await makeIssuer({ issuer: root, keys: issuer.keys, more: [permittedHost('example.org')] })
    expect(verdict(leaf, [narrow], [root])).toBe('constraints.name')
    expect(verdict(leaf, [narrow, issuer], [root])).toBe('accepted')
  })

  test('never begins and ends at the same certificate', () => {
    expect(verdict(root, [], [root])).toBe('path.no-issuer')
    expect(verdict(root, [root], [root])).toBe('path.no-issuer')
  })

  test('ends only at a root given as such, never at another self-signed certificate', async () => {
    const stranger = await makeRoot({ subject: 'CN=Stranger' })
    expect(verdict(await makeLeaf({ issuer: stranger }), [stranger], [root])).toBe('path.untrusted-root')
  })

  test('does not end at a trusted certificate that another one issued, but passes through it', () => {
    expect(verdict(leaf, [], [issuer])).toBe('path.no-issuer')
    expect(verdict(leaf, [], [issuer, root])).toBe('accepted')
  })

  test('does not end at a root whose own signature is false', async () => {
    const impostor = await makeRoot({ keys: root.keys, issuer: await makeRoot(), issuerName: root.subject })
    expect(verdict(leaf, [issuer], [impostor])).not.toBe('accepted')
  })

  test('tries a root of the same name and another key in vain', async () => {
    expect(verdict(leaf, [issuer], [await makeRoot(), root])).toBe('accepted')
    expect(verdict(leaf, [issuer], [await makeRoot()])).toBe('path.no-issuer')
  })

  test('does not pass through an issuer of the right name and another key, key identifier or not', async () => {
    const impostor = await makeIssuer({ issuer: root })
    const forged = await makeLeaf({
      issuer: impostor,
      extensions: { authorityKeyIdentifier: await AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey) },
    })
    expect(verdict(forged, [issuer], [root])).toBe('signature.invalid')
  })

  test('passes through a certificate for a changed key, which counts neither as depth nor as path length', async () => {
    const old = await makeIssuer({ issuer: root, subject: 'CN=Same', pathLength: 0 })
    const renewed = await makeIssuer({ issuer: old, subject: 'CN=Same', pathLength: 0 })
    expect(verdict(await makeLeaf({ issuer: renewed }), [renewed, old], [root], { maxDepth: 1 })).toBe('accepted')
  })
})

describe('depth', () => {
  test('is the number of issuing certificates between leaf and root', async () => {
    expect(verdict(leaf, [issuer], [root], { maxDepth: 1 })).toBe('accepted')
    expect(verdict(leaf, [issuer], [root], { maxDepth: 0 })).toBe('path.too-long')
    expect(verdict(await makeLeaf({ issuer: root }), [], [root], { maxDepth: 0 })).toBe('accepted')
  })

  test('is at most eight unless said otherwise', async () => {
    const chain = await chainOf(9, root)
    const [lowest, eighth] = [chain.at(-1), chain.at(-2)]
    expect(verdict(await makeLeaf(under(eighth)), chain, [root])).toBe('accepted')
    expect(verdict(await makeLeaf(under(lowest)), chain, [root])).toBe('path.too-long')
    expect(verdict(await makeLeaf(under(lowest)), chain, [root], { maxDepth: 9 })).toBe('accepted')
  })
})

const under = (issuer: Made | undefined) => (issuer ? { issuer } : {})

async function chainOf(length: number, top: Made): Promise<Made[]> {
  const chain: Made[] = []
  for (let i = 0; i < length; i++)
    chain.push(await makeIssuer({ issuer: chain.at(-1) ?? top, subject: `CN=Level ${i}` }))
  return chain
}

describe('work', () => {
  test('ends at its budget when a hundred issuers of one name and key identifier all fail, and is quick', async () => {
    const identifier = issuer.keys.publicKey
    const same = { subjectKeyIdentifier: readCertificate(issuer.certificate).extensions.get('2.5.29.14') }
    expect(same.subjectKeyIdentifier).toBeDefined()
    const ski = new Extension('2.5.29.14', false, new Uint8Array(same.subjectKeyIdentifier?.value ?? []))
    const forgeries = await Promise.all(
      Array.from({ length: 100 }, () => makeIssuer({ issuer: root, extensions: { subjectKeyIdentifier: ski } })),
    )
    const aki = await AuthorityKeyIdentifierExtension.create(identifier)
    const stray = await makeLeaf({
      issuer: await makeIssuer({ issuer: root }),
      extensions: { authorityKeyIdentifier: aki },
    })
    const start = performance.now()
    expect(verdict(stray, forgeries, [root])).toBe('path.budget')
    expect(performance.now() - start).toBeLessThan(1000)
  })

  test('ends at its budget in a thicket of issuers that all certify each other', async () => {
    const keys = await Promise.all(Array.from({ length: 6 }, () => makeKeys()))
    const members = await Promise.all(keys.map((each, i) => makeRoot({ subject: `CN=Member ${i}`, keys: each })))
    const thicket: Made[] = []
    for (const above of members) {
      for (const below of members) {
        if (above !== below) thicket.push(await makeIssuer({ issuer: above, subject: below.subject, keys: below.keys }))
      }
    }
    const start = performance.now()
    expect(verdict(await makeLeaf(under(members[0])), thicket, [root])).toBe('path.budget')
    expect(performance.now() - start).toBeLessThan(1000)
  })

  test('ends at its budget when thousands of names meet thousands of constraints', async () => {
    const many = Array.from({ length: 1000 }, (_, i) => `h${i}.example.net`)
    const narrow = await makeIssuer({ issuer: root, more: [permittedHost(...many)] })
    const wide = await makeLeaf({ issuer: narrow, dns: many })
    const start = performance.now()
    expect(verdict(wide, [narrow], [root])).toBe('path.budget')
    expect(performance.now() - start).toBeLessThan(1000)
  })
})

function permittedHost(...hosts: string[]): Extension {
  const subtrees = hosts.map(host => element(0x30, element(0x82, Buffer.from(host))))
  return new Extension('2.5.29.30', true, element(0x30, element(0xa0, ...subtrees)))
}

describe('time', () => {
  test('is inclusive at both ends and counts whole seconds', async () => {
    const [notBefore, notAfter] = [daysFromNow(1), daysFromNow(2)]
    const brief = await makeLeaf({ issuer, notBefore, notAfter })
    const [from, until] = [notBefore.getTime(), notAfter.getTime()]
    const when = (time: number) => verdict(brief, [issuer], [root], { at: new Date(time) })
    expect(when(from - 1)).toBe('validity.not-yet')
    expect(when(from)).toBe('accepted')
    expect(when(until + 999)).toBe('accepted')
    expect(when(until + 1000)).toBe('validity.expired')
  })

  test('that is no time is refused', () => {
    expect(verdict(leaf, [issuer], [root], { at: new Date(Number.NaN) })).toBe('validity.not-yet')
  })
})

describe('keys and signatures', () => {
  test.each(['P-256', 'P-384', 'P-521', 'Ed25519', 'RSA-2048'] as const)('%s signs', async kind => {
    const signer = await makeIssuer({ issuer: root, kind })
    expect(verdict(await makeLeaf({ issuer: signer }), [signer], [root])).toBe('accepted')
  })

  test.each(['SHA-384', 'SHA-512'] as const)('%s is accepted', async hash => {
    expect(verdict(await makeLeaf({ issuer, hash }), [issuer], [root])).toBe('accepted')
  })

  test('SHA-1 is refused', async () => {
    expect(verdict(await makeLeaf({ issuer, hash: 'SHA-1' }), [issuer], [root])).toBe('signature.algorithm')
  })

  test('RSA of 1024 bits is refused', async () => {
    const keys = await makeKeys('RSA-1024')
    expect(verdict(await makeLeaf({ issuer, keys }), [issuer], [root])).toBe('key.unusable')
  })
})

describe('purpose', () => {
  test('is free where the leaf names none, and bound where it names some', async () => {
    const free = await makeLeaf({ issuer, extensions: { extendedKeyUsage: false } })
    expect(verdict(free, [issuer], [root], { purposes: [SERVER_AUTH, CLIENT_AUTH] })).toBe('accepted')
    expect(verdict(leaf, [issuer], [root], { purposes: [SERVER_AUTH] })).toBe('accepted')
    expect(verdict(leaf, [issuer], [root], { purposes: [SERVER_AUTH, CLIENT_AUTH] })).toBe('purpose.extended-key-usage')
  })

  test('is lent only by an issuer that has it', async () => {
    const eku = { extendedKeyUsage: new ExtendedKeyUsageExtension([CLIENT_AUTH]) }
    const narrow = await makeIssuer({ issuer: root, extensions: eku })
    const below = await makeLeaf({ issuer: narrow, purposes: [SERVER_AUTH, CLIENT_AUTH] })
    expect(verdict(below, [narrow], [root], { purposes: [CLIENT_AUTH] })).toBe('accepted')
    expect(verdict(below, [narrow], [root], { purposes: [SERVER_AUTH] })).toBe('purpose.extended-key-usage')
  })

  test.each([
    ['digitalSignature', 1, 'accepted', 'accepted'],
    ['keyEncipherment', 4, 'accepted', 'purpose.key-usage'],
    ['keyAgreement', 16, 'accepted', 'accepted'],
    ['cRLSign', 64, 'purpose.key-usage', 'purpose.key-usage'],
  ] as const)('with %s alone the key serves what RFC 5280 4.2.1.12 says', async (_name, bits, server, client) => {
    const purposes = [SERVER_AUTH, CLIENT_AUTH]
    const bound = await makeLeaf({ issuer, purposes, extensions: { keyUsage: new KeyUsagesExtension(bits, true) } })
    expect(verdict(bound, [issuer], [root], { purposes: [SERVER_AUTH] })).toBe(server)
    expect(verdict(bound, [issuer], [root], { purposes: [CLIENT_AUTH] })).toBe(client)
  })
})

describe('a certificate by itself', () => {
  const refused: [string, string, () => Promise<Made>][] = [
    ['a serial number of zero', 'certificate.serial', async () => withField(1, element(2, Buffer.of(0)))],
    ['a negative serial number', 'certificate.serial', async () => withField(1, element(2, Buffer.of(0x80)))],
    ['version 1', 'certificate.version', async () => withField(0, element(0xa0, element(2, Buffer.of(0))))],
    ['version 4', 'certificate.version', async () => withField(0, element(0xa0, element(2, Buffer.of(3))))],
    ['no version', 'certificate.version', async () => resign(leaf, issuer, fields => fields.slice(1))],
    [
      'a unique identifier of its subject',
      'certificate.unique-id',
      async () => resign(leaf, issuer, fields => fields.toSpliced(7, 0, element(0x82, Buffer.of(0, 1)))),
    ],
    [
      'another algorithm named inside',
      'signature.algorithm',
      async () => withField(2, Buffer.from('300a06082a8648ce3d040303', 'hex')),
    ],
    ['a serial number of 21 octets', 'certificate.serial', () => makeLeaf({ issuer, serial: `01${'00'.repeat(20)}` })],
    ['no issuer name', 'certificate.issuer', () => makeLeaf({ issuer, issuerName: '' })],
    ['no name at all', 'certificate.subject', () => makeLeaf({ issuer, subject: '' })],
    [
      'a critical key identifier',
      'extension.criticality',
      () =>
        makeLeaf({
          issuer,
          extensions: { subjectKeyIdentifier: new Extension('2.5.29.14', true, element(4, Buffer.of(1))) },
        }),
    ],
    [
      'inhibitAnyPolicy not critical',
      'extension.criticality',
      () => makeLeaf({ issuer, more: [new Extension('2.5.29.54', false, element(2, Buffer.of(0)))] }),
    ],
    [
      'an explicit policy required',
      'policy.explicit',
      () => makeLeaf({ issuer, more: [new Extension('2.5.29.36', true, element(0x30, element(0x80, Buffer.of(0))))] }),
    ],
    [
      'a proxy certificate',
      'extension.refused',
      () => makeLeaf({ issuer, more: [new Extension('1.3.6.1.5.5.7.1.14', false, element(0x30))] }),
    ],
    [
      'an unknown critical extension',
      'extension.unknown-critical',
      () => makeLeaf({ issuer, more: [new Extension('1.2.3.4', true, element(5))] }),
    ],
    [
      'a path length on a leaf',
      'extension.inconsistent',
      () => makeLeaf({ issuer, extensions: { basicConstraints: new BasicConstraintsExtension(false, 1, true) } }),
    ],
    [
      'name constraints on a leaf',
      'extension.inconsistent',
      () => makeLeaf({ issuer, more: [permittedHost('example.com')] }),
    ],
    [
      'keyCertSign on a leaf',
      'extension.inconsistent',
      () => makeLeaf({ issuer, extensions: { keyUsage: new KeyUsagesExtension(1 | 32, true) } }),
    ],
    [
      'no authority key identifier',
      'extension.authority-key-identifier',
      () => makeLeaf({ issuer, extensions: { authorityKeyIdentifier: false } }),
    ],
  ]
  /** The leaf with one element of its signed part replaced. */
  function withField(at: number, by: Uint8Array): Made {
    return resign(leaf, issuer, fields => fields.with(at, by))
  }

  test.each(refused)('with %s is refused as %s', async (_what, reason, make) => {
    expect(verdict(await make(), [issuer], [root])).toBe(reason)
  })

  test('with an inhibited policy mapping is accepted, because no policy is asked for', async () => {
    const more = [new Extension('2.5.29.36', true, element(0x30, element(0x81, Buffer.of(0))))]
    expect(verdict(await makeLeaf({ issuer, more }), [issuer], [root])).toBe('accepted')
  })

  const refusedIssuers: [string, string, Parameters<typeof makeIssuer>[0]][] = [
    ['not a CA', 'ca.basic-constraints', { extensions: { basicConstraints: false, keyUsage: false } }],
    ['without key usage', 'ca.key-usage', { extensions: { keyUsage: false } }],
    ['without keyCertSign', 'ca.key-usage', { extensions: { keyUsage: new KeyUsagesExtension(64, true) } }],
    [
      'of a path length without keyCertSign',
      'extension.inconsistent',
      { pathLength: 0, extensions: { keyUsage: new KeyUsagesExtension(64, true) } },
    ],
    [
      'whose basic constraints are not critical',
      'extension.criticality',
      { extensions: { basicConstraints: new BasicConstraintsExtension(true, undefined, false) } },
    ],
    [
      'without a subject key identifier',
      'extension.subject-key-identifier',
      { extensions: { subjectKeyIdentifier: false } },
    ],
  ]
  test.each(refusedIssuers)('an issuer %s is refused as %s', async (_what, reason, options) => {
    const bad = await makeIssuer({ issuer: root, ...options })
    expect(verdict(await makeLeaf({ issuer: bad }), [bad], [root])).toBe(reason)
  })

  test('unrelated to the path may be as wrong as it likes', async () => {
    const bad = await makeIssuer({
      issuer: root,
      more: [new Extension('1.2.3.4', true, element(5))],
      subject: 'CN=Unused',
    })
    expect(verdict(leaf, [bad, issuer], [root])).toBe('accepted')
  })
})

describe('the cache', () => {
  test('answers again without looking, until the first certificate or CRL of the path ends', async () => {
    const crls = crlStore()
    const add = async (pem: Promise<string>) => readCrls(await pem).map(crl => crls.add(crl))
    const end = daysFromNow(3)
    await add(makeCrl({ issuer: root, nextUpdate: daysFromNow(7) }))
    await add(makeCrl({ issuer, nextUpdate: end }))
    const validate = pathCache()
    const question = ask(leaf, [issuer], [root], { crls })
    const first = validate(question)
    expect(first).toMatchObject({ ok: true, notAfter: end })
    expect(validate({ ...question, at: end })).toBe(first)
    expect(validate({ ...question, at: daysFromNow(3.01) })).toMatchObject({ ok: false, reason: 'revocation.stale' })
    expect(validate({ ...question, at: daysFromNow(-0.9) })).toMatchObject({ ok: false, reason: 'revocation.not-yet' })
  })

  test('forgets when a CRL is added', async () => {
    const crls = crlStore()
    const add = async (pem: Promise<string>) => readCrls(await pem).map(crl => crls.add(crl))
    await add(makeCrl({ issuer: root }))
    await add(makeCrl({ issuer, number: 1 }))
    const validate = pathCache()
    const question = ask(leaf, [issuer], [root], { crls })
    expect(validate(question)).toMatchObject({ ok: true })
    await add(makeCrl({ issuer, number: 2, revoked: [leaf] }))
    expect(validate(question)).toMatchObject({ ok: false, reason: 'revocation.revoked' })
  })

  test('tells questions apart by everything but the time', () => {
    const validate = pathCache()
    const question = ask(leaf, [issuer], [root])
    expect(validate(question).ok).toBe(true)
    expect(validate({ ...question, purposes: [CLIENT_AUTH] }).ok).toBe(false)
    expect(validate({ ...question, name: { form: 'dns', value: 'example.org' } }).ok).toBe(false)
    expect(validate({ ...question, maxDepth: 0 }).ok).toBe(false)
    expect(validate({ ...question, profile: 'federation' }).ok).toBe(false)
    expect(validate({ ...question, untrusted: [] }).ok).toBe(false)
    expect(validate({ ...question, roots: [] }).ok).toBe(false)
    expect(validate({ ...question, crls: crlStore() }).ok).toBe(false)
  })
})
