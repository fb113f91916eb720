/**
 * The same chains to our validator and to `openssl verify -x509_strict`, right ones and ones broken in one way each.
 * By hand, with Node 26: `npx node test/trust/openssl.long.ts [chains] [seed]`. What OpenSSL refuses and we accept
 * ends it with status 1; what we refuse and OpenSSL accepts is printed with our reason.
 */
import 'reflect-metadata'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
} from '@peculiar/x509'
import {
  type Crl,
  crlStore,
  type PathReason,
  type PeerName,
  readCertificate,
  readCrls,
  validatePath,
} from '#trust/certificate.ts'
import { Malformed } from '#trust/der.ts'
import {
  type CrlOptions,
  clientAuth,
  daysFromNow,
  element,
  fromDer,
  integer,
  type KeyKind,
  type Made,
  makeCrl,
  makeIssuer,
  makeKeys,
  makeLeaf,
  makeRoot,
  resign,
  serverAuth,
} from '../certificates.ts'

export function hasOpenssl(): boolean {
  return spawnSync('openssl', ['version']).status === 0
}

/** mulberry32: a failure must be seen again from its seed. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

type LeafOptions = Parameters<typeof makeLeaf>[0] & {}
type Link = LeafOptions & {
  readonly pathLength?: number
  /** Makes the authority key identifier once the issuer is there. */
  readonly authority?: (issuer: Made) => Extension
  /** Rewrites the finished certificate; with the signer at hand it may sign anew. */
  readonly patch?: (made: Made, signer: Made) => Made
}

/** Root first, leaf last. */
type Plan = {
  readonly links: Link[]
  name?: PeerName
  /** CRLs are asked for when this is set; the function may change the right ones. */
  crls?: (options: CrlOptions, i: number) => CrlOptions | undefined
  /** Certificates left out of what is given to the validators. */
  missing?: number
  otherRoot?: boolean
  /** Further untrusted certificates that lead nowhere. */
  decoys?: boolean
}

type Break = (plan: Plan, pick: Picker) => void

type Picker = {
  readonly below: (n: number) => number
  readonly of: <T>(list: readonly T[]) => T
  readonly chance: (p: number) => boolean
}

function picker(next: () => number): Picker {
  return {
    below: n => Math.floor(next() * n),
    of: list => {
      const item = list[Math.floor(next() * list.length)]
      if (item === undefined) throw new RangeError('empty list')
      return item
    },
    chance: p => next() < p,
  }
}

const ext = (oid: string, critical: boolean, value: Uint8Array) => new Extension(oid, critical, new Uint8Array(value))
const seq = (...parts: Uint8Array[]) => element(0x30, ...parts)
const text = (value: string) => Buffer.from(value, 'latin1')
const unknown = (critical: boolean) => ext('1.3.6.1.4.1.55738.666.1', critical, element(5))

/** An authority key identifier that names the issuer's key, and a certificate by its issuer's common name and serial. */
function authority({ certificate }: Made, name: string, serial: string): Extension {
  const keyId = element(0x80, Buffer.from(readCertificate(certificate).subjectKeyIdentifier ?? '', 'hex'))
  const issuer = element(0xa1, dn(attribute(CN, 0x0c, name.replace('CN=', ''))))
  return ext('2.5.29.35', false, seq(keyId, issuer, element(0x82, Buffer.from(serial, 'hex'))))
}

/** GeneralSubtrees by context tag of the name form. */
function constraints(permitted: readonly Uint8Array[], excluded: readonly Uint8Array[], critical = true): Extension {
  const list = (tag: number, names: readonly Uint8Array[]) =>
    names.length > 0 ? [element(tag, ...names.map(name => seq(name)))] : []
  return ext('2.5.29.30', critical, seq(...list(0xa0, permitted), ...list(0xa1, excluded)))
}

const dns = (value: string) => element(0x82, text(value))
const mail = (value: string) => element(0x81, text(value))
const uri = (value: string) => element(0x86, text(value))
const ip = (...bytes: number[]) => element(0x87, Buffer.from(bytes))
const otherName = element(0xa0, element(6, Buffer.from('2b06010401', 'hex')), element(0xa0, element(12, text('x'))))
const attribute = (type: string, tag: number, value: string) =>
  element(0x31, seq(element(6, Buffer.from(type, 'hex')), element(tag, text(value))))
const CN = '550403'
const O = '55040a'
const dn = (...rdns: Uint8Array[]) => element(0xa4, seq(...rdns))

function set(plan: Plan, i: number, change: Link): void {
  const link = plan.links[i]
  plan.links[i] = {
    ...link,
    ...change,
    extensions: { ...link?.extensions, ...change.extensions },
    more: [...(link?.more ?? []), ...(change.more ?? [])],
  }
}

const leafOf = (plan: Plan) => plan.links.length - 1
const anyCa = (plan: Plan, pick: Picker) => pick.below(leafOf(plan))
const anyIssuer = (plan: Plan, pick: Picker) => 1 + pick.below(leafOf(plan) - 1)
const anyOne = (plan: Plan, pick: Picker) => pick.below(plan.links.length)
const anyButRoot = (plan: Plan, pick: Picker) => 1 + pick.below(leafOf(plan))

/** Replaces one element of the signed part and signs again with the real issuer's key. */
function replaced(at: number, by: Uint8Array): (made: Made, signer: Made) => Made {
  return (made, signer) => resign(made, signer, fields => fields.with(at, by))
}

const version = (n: number) => replaced(0, element(0xa0, element(2, Buffer.of(n))))

/** Right ways to differ, which must be accepted by both. */
const rightWays: Record<string, Break> = {
  plain: () => {},
  'name asked': plan => {
    plan.name = { form: 'dns', value: 'WWW.Example.com' }
  },
  'wildcard name': plan => {
    set(plan, leafOf(plan), { dns: ['*.example.com'] })
    plan.name = { form: 'dns', value: 'www.example.com' }
  },
  'address asked': plan => {
    set(plan, leafOf(plan), { ip: ['192.0.2.7', '2001:db8::7'] })
    plan.name = { form: 'ip', value: '2001:DB8:0::7' }
  },
  'unknown extension, not critical': (plan, pick) => set(plan, anyOne(plan, pick), { more: [unknown(false)] }),
  'permitted host': (plan, pick) => set(plan, anyCa(plan, pick), { more: [constraints([dns('example.com')], [])] }),
  'permitted host, narrower below': plan => {
    set(plan, 0, { more: [constraints([dns('com'), dns('org')], [dns('www.example.org')])] })
    set(plan, 1, { more: [constraints([dns('example.com')], [])] })
  },
  'permitted directory name': (plan, pick) => {
    for (const i of plan.links.keys()) set(plan, i, { subject: `O=Federation, CN=Link ${i}` })
    const organisation = pick.of([
      attribute(O, 0x0c, 'Federation'),
      attribute(O, 0x13, 'FEDERATION'),
      attribute(O, 0x0c, ' federation  '),
    ])
    set(plan, 0, { more: [constraints([dn(organisation)], [dn(attribute(CN, 0x0c, 'Other'))])] })
  },
  'permitted mailbox, address, URI': plan => {
    set(plan, leafOf(plan), {
      email: ['a@mail.example.com'],
      ip: ['192.0.2.1'],
      uri: ['xinqiao://hangzhou.city'],
      dns: ['example.com'],
    })
    set(plan, 0, {
      more: [constraints([mail('mail.example.com'), ip(192, 0, 2, 0, 255, 255, 255, 0), uri('.city')], [])],
    })
  },
  'constraint of a form not present': plan => set(plan, 0, { more: [constraints([mail('example.org')], [otherName])] }),
  'every CRL': plan => {
    plan.crls = options => options
  },
  'CRL revokes another': plan => {
    plan.crls = options => ({ ...options, revoked: ['0a0b0c0d'] })
  },
  'tight path length': plan => {
    for (let i = 0; i < leafOf(plan); i++) set(plan, i, { pathLength: leafOf(plan) - 1 - i })
  },
  'a CA as leaf': plan =>
    set(plan, leafOf(plan), {
      extensions: {
        basicConstraints: new BasicConstraintsExtension(true, 0, true),
        keyUsage: new KeyUsagesExtension(1 | 32, true),
      },
    }),
  'no basic constraints on the leaf': plan => set(plan, leafOf(plan), { extensions: { basicConstraints: false } }),
  'no key usage on the leaf': plan => set(plan, leafOf(plan), { extensions: { keyUsage: false } }),
  'no purposes on the leaf': plan => set(plan, leafOf(plan), { extensions: { extendedKeyUsage: false } }),
  'purposes on issuers': (plan, pick) =>
    set(plan, anyCa(plan, pick), {
      extensions: { extendedKeyUsage: new ExtendedKeyUsageExtension([clientAuth, serverAuth]) },
    }),
  'empty subject, critical name': plan =>
    set(plan, leafOf(plan), {
      subject: '',
      extensions: {
        subjectAltName: new SubjectAlternativeNameExtension([{ type: 'dns', value: 'www.example.com' }], true),
      },
    }),
  'critical policies': (plan, pick) =>
    set(plan, anyButRoot(plan, pick), {
      more: [ext('2.5.29.32', true, seq(seq(element(6, Buffer.from('551d2000', 'hex')))))],
    }),
  'decoys of the same names': plan => {
    plan.decoys = true
  },
  'long but lawful serial number': (plan, pick) => set(plan, anyOne(plan, pick), { serial: `7f${'ab'.repeat(19)}` }),
  'authority by key identifier, name and serial number': plan =>
    set(plan, 1, { authority: root => authority(root, root.subject, root.serial) }),
  'notAfter from 2050': (plan, pick) => set(plan, anyOne(plan, pick), { notAfter: new Date('2051-01-01T00:00:00Z') }),
}

/** Ways to be wrong, one at a time. */
const wrongWays: Record<string, Break> = {
  expired: (plan, pick) => set(plan, anyOne(plan, pick), { notBefore: daysFromNow(-9), notAfter: daysFromNow(-0.001) }),
  'not yet valid': (plan, pick) => set(plan, anyOne(plan, pick), { notBefore: daysFromNow(0.001) }),
  'issuer without basic constraints': (plan, pick) =>
    set(plan, anyCa(plan, pick), { extensions: { basicConstraints: false } }),
  'issuer with cA false': (plan, pick) =>
    set(plan, anyCa(plan, pick), {
      extensions: { basicConstraints: new BasicConstraintsExtension(false, undefined, true) },
    }),
  'basic constraints not critical': (plan, pick) =>
    set(plan, anyCa(plan, pick), {
      extensions: { basicConstraints: new BasicConstraintsExtension(true, undefined, false) },
    }),
  'issuer that may not sign certificates': (plan, pick) =>
    set(plan, anyCa(plan, pick), { extensions: { keyUsage: new KeyUsagesExtension(1 | 64, true) } }),
  'issuer without key usage': (plan, pick) => set(plan, anyCa(plan, pick), { extensions: { keyUsage: false } }),
  'path length exceeded': plan =>
    set(plan, leafOf(plan) > 2 ? 1 : 0, { pathLength: leafOf(plan) > 2 ? leafOf(plan) - 3 : 0 }),
  'path length without cA': plan =>
    set(plan, leafOf(plan), { extensions: { basicConstraints: new BasicConstraintsExtension(false, 0, true) } }),
  'leaf signs certificates': plan =>
    set(plan, leafOf(plan), { extensions: { keyUsage: new KeyUsagesExtension(1 | 32, true) } }),
  'leaf of another purpose': plan => set(plan, leafOf(plan), { purposes: [clientAuth] }),
  'leaf of any purpose': plan => set(plan, leafOf(plan), { purposes: ['2.5.29.37.0'] }),
  'issuer of another purpose': (plan, pick) =>
    set(plan, anyCa(plan, pick), { extensions: { extendedKeyUsage: new ExtendedKeyUsageExtension([clientAuth]) } }),
  'leaf that may not be used so': plan =>
    set(plan, leafOf(plan), { extensions: { keyUsage: new KeyUsagesExtension(2 | 64, true) } }),
  'unknown critical extension': (plan, pick) => set(plan, anyOne(plan, pick), { more: [unknown(true)] }),
  'no authority key identifier': (plan, pick) =>
    set(plan, anyButRoot(plan, pick), { extensions: { authorityKeyIdentifier: false } }),
  'authority key identifier of another key': (plan, pick) =>
    set(plan, anyButRoot(plan, pick), {
      extensions: { authorityKeyIdentifier: new AuthorityKeyIdentifierExtension('00'.repeat(20)) },
    }),
  'authority serial number of another certificate': (plan, pick) =>
    set(plan, anyButRoot(plan, pick), { authority: issuer => authority(issuer, issuer.subject, '0123456789') }),
  'authority name of another certificate': (plan, pick) =>
    set(plan, anyButRoot(plan, pick), { authority: issuer => authority(issuer, 'CN=Nobody', issuer.serial) }),
  'critical authority key identifier': (plan, pick) =>
    set(plan, anyButRoot(plan, pick), {
      extensions: { authorityKeyIdentifier: new AuthorityKeyIdentifierExtension('00'.repeat(20), true) },
    }),
  'critical subject key identifier': (plan, pick) =>
    set(plan, anyOne(plan, pick), {
      extensions: { subjectKeyIdentifier: new SubjectKeyIdentifierExtension('11'.repeat(20), true) },
    }),
  'CA without subject key identifier': (plan, pick) =>
    set(plan, anyCa(plan, pick), { extensions: { subjectKeyIdentifier: false } }),
  'host outside the permitted': (plan, pick) =>
    set(plan, anyCa(plan, pick), {
      more: [constraints([dns(pick.of(['example.org', 'ample.com', 'a.www.example.com']))], [])],
    }),
  'host excluded': (plan, pick) =>
    set(plan, anyCa(plan, pick), {
      more: [constraints([], [dns(pick.of(['example.com', 'com', 'www.example.com', '']))])],
    }),
  'one of two names excluded': plan => {
    set(plan, leafOf(plan), { dns: ['www.example.com', 'forbidden.example.net'] })
    set(plan, 0, { more: [constraints([], [dns('example.net')], false)] })
  },
  'address outside the permitted': plan => {
    set(plan, leafOf(plan), { ip: ['192.0.3.1'] })
    set(plan, 0, { more: [constraints([ip(192, 0, 2, 0, 255, 255, 255, 0)], [])] })
  },
  'address of the other family excluded': plan => {
    set(plan, leafOf(plan), { ip: ['2001:db8::1'] })
    set(plan, 0, {
      more: [
        constraints(
          [],
          [ip(0x20, 1, 0x0d, 0xb8, ...new Array(12).fill(0), 255, 255, 255, 255, ...new Array(12).fill(0))],
        ),
      ],
    })
  },
  'mailbox outside the permitted': (plan, pick) => {
    set(plan, leafOf(plan), { email: ['a@mail.example.com'] })
    set(plan, 0, {
      more: [
        constraints(
          [mail(pick.of(['example.com', 'b@mail.example.com', '.mail.example.com', 'A@mail.example.com']))],
          [],
        ),
      ],
    })
  },
  'mail address in the subject excluded': plan => {
    set(plan, leafOf(plan), { subject: 'CN=x, E=a@example.org' })
    set(plan, 0, { more: [constraints([], [mail('example.org')])] })
  },
  'URI outside the permitted': (plan, pick) => {
    set(plan, leafOf(plan), {
      uri: [pick.of(['xinqiao://hangzhou.city', 'xinqiao://ningbo.city:8443/a?b', 'https://u@ningbo.city/'])],
    })
    set(plan, 0, { more: [constraints([uri(pick.of(['ningbo.cit', '.hangzhou.city', 'city']))], [])] })
  },
  'URI without a host under a URI constraint': plan => {
    set(plan, leafOf(plan), { uri: ['urn:example:1'] })
    set(plan, 0, { more: [constraints([uri('.city')], [])] })
  },
  'directory name excluded': (plan, pick) => {
    set(plan, leafOf(plan), { subject: 'O=Evil  Corp, CN=x' })
    set(plan, 0, {
      more: [
        constraints([], [dn(attribute(O, pick.of([0x0c, 0x13, 0x14, 0x16]), pick.of(['Evil Corp', 'evil corp '])))]),
      ],
    })
  },
  'directory name outside the permitted': plan =>
    set(plan, leafOf(plan) - 1, { more: [constraints([dn(attribute(CN, 0x0c, 'Someone'))], [])] }),
  'common name outside the permitted hosts': plan => {
    set(plan, leafOf(plan), { subject: 'CN=www.example.org', extensions: { subjectAltName: false } })
    set(plan, 0, { more: [constraints([dns('example.com')], [])] })
  },
  'constraint of a form unknown here': plan => {
    set(plan, leafOf(plan), {
      extensions: { subjectAltName: ext('2.5.29.17', false, seq(dns('www.example.com'), otherName)) },
    })
    set(plan, 0, { more: [constraints([], [otherName])] })
  },
  'subtree with a minimum': plan =>
    set(plan, 0, {
      more: [ext('2.5.29.30', true, seq(element(0xa0, seq(dns('example.com'), element(0x80, Buffer.of(1))))))],
    }),
  'malformed name constraints': plan => set(plan, 0, { more: [ext('2.5.29.30', true, element(4))] }),
  'signature changed': (plan, pick) =>
    set(plan, anyButRoot(plan, pick), { patch: made => flipped(made, made.der.length - 4) }),
  'content changed': (plan, pick) =>
    set(plan, anyButRoot(plan, pick), {
      patch: made => flipped(made, Buffer.from(made.der).indexOf('0603550403', 0, 'hex') + 8),
    }),
  'issuer of another name': (plan, pick) => set(plan, anyButRoot(plan, pick), { issuerName: 'CN=Somebody Else' }),
  'signature algorithm named differently outside': (plan, pick) =>
    set(plan, anyOne(plan, pick), {
      // The last arc of the outer algorithm: another hash, the same signature.
      patch: made => {
        const at = Buffer.from(made.der).lastIndexOf('06082a8648ce3d0403', made.der.length, 'hex')
        return fromDer(made, made.der.with(at + 9, 3))
      },
    }),
  'serial number zero': (plan, pick) => set(plan, anyOne(plan, pick), { patch: replaced(1, element(2, Buffer.of(0))) }),
  'serial number negative': (plan, pick) =>
    set(plan, anyOne(plan, pick), { patch: replaced(1, element(2, Buffer.of(0x80, 1))) }),
  'serial number of 21 octets': (plan, pick) => set(plan, anyOne(plan, pick), { serial: `01${'ab'.repeat(20)}` }),
  'version 2': (plan, pick) => set(plan, anyOne(plan, pick), { patch: version(1) }),
  'version 4': (plan, pick) => set(plan, anyOne(plan, pick), { patch: version(3) }),
  'CA without a name': plan => {
    set(plan, leafOf(plan) - 1, { subject: '' })
  },
  'empty subject, name not critical': plan => set(plan, leafOf(plan), { subject: '' }),
  'empty list of names': plan =>
    set(plan, leafOf(plan), { extensions: { subjectAltName: ext('2.5.29.17', false, seq()) } }),
  'malformed list of names': plan =>
    set(plan, leafOf(plan), { extensions: { subjectAltName: ext('2.5.29.17', false, text('www.example.com')) } }),
  'another name': (plan, pick) => {
    plan.name = {
      form: 'dns',
      value: pick.of(['example.com', 'wwww.example.com', 'www.example.com.evil.org', 'example']),
    }
  },
  'another address': plan => {
    set(plan, leafOf(plan), { ip: ['192.0.2.7'] })
    plan.name = { form: 'ip', value: '192.0.2.8' }
  },
  'wildcard over two labels': plan => {
    set(plan, leafOf(plan), { dns: ['*.example.com'] })
    plan.name = { form: 'dns', value: 'a.b.example.com' }
  },
  'wildcard excluded in part': plan => {
    set(plan, leafOf(plan), { dns: ['*.example.com'] })
    set(plan, 0, { more: [constraints([], [dns('bar.example.com')])] })
    plan.name = { form: 'dns', value: 'bar.example.com' }
  },
  'name in the common name only': plan => {
    set(plan, leafOf(plan), { subject: 'CN=www.example.com', extensions: { subjectAltName: false } })
    plan.name = { form: 'dns', value: 'www.example.com' }
  },
  'a certificate missing': (plan, pick) => {
    plan.missing = anyIssuer(plan, pick)
  },
  'another root': plan => {
    plan.otherRoot = true
  },
  'SHA-1': (plan, pick) => set(plan, anyButRoot(plan, pick), { hash: 'SHA-1' }),
  'proxy certificate': plan =>
    set(plan, leafOf(plan), {
      more: [ext('1.3.6.1.5.5.7.1.14', true, seq(seq(element(6, Buffer.from('2b06010505071501', 'hex')))))],
    }),
  'Netscape type of another purpose': (plan, pick) =>
    set(plan, anyOne(plan, pick), { more: [ext('2.16.840.1.113730.1.1', false, element(3, Buffer.of(5, 0x20)))] }),
  'number resources not held by the issuer': plan =>
    set(plan, leafOf(plan), {
      more: [ext('1.3.6.1.5.5.7.1.7', false, seq(seq(element(4, Buffer.of(0, 1)), seq(element(3, Buffer.of(0, 10))))))],
    }),
  'malformed distribution points': (plan, pick) =>
    set(plan, anyOne(plan, pick), { more: [ext('2.5.29.31', false, seq(element(2, Buffer.of(1))))] }),
  'malformed basic constraints': (plan, pick) =>
    set(plan, anyCa(plan, pick), {
      extensions: { basicConstraints: ext('2.5.29.19', true, seq(element(1, Buffer.of(255)), element(4))) },
    }),
  'malformed key usage': (plan, pick) =>
    set(plan, anyCa(plan, pick), { extensions: { keyUsage: ext('2.5.29.15', true, element(2, Buffer.of(6))) } }),
  'malformed purposes': (plan, pick) =>
    set(plan, anyOne(plan, pick), { extensions: { extendedKeyUsage: ext('2.5.29.37', false, element(4)) } }),
  'an extension twice': (plan, pick) => set(plan, anyOne(plan, pick), { more: [unknown(false), unknown(false)] }),
  'trailing bytes in an extension': (plan, pick) =>
    set(plan, anyCa(plan, pick), {
      extensions: {
        basicConstraints: ext('2.5.29.19', true, Buffer.concat([seq(element(1, Buffer.of(255))), Buffer.of(0)])),
      },
    }),
  'explicit policy required': (plan, pick) =>
    set(plan, anyIssuer(plan, pick), { more: [ext('2.5.29.36', true, seq(element(0x80, Buffer.of(0))))] }),
  'policy constraints not critical': (plan, pick) =>
    set(plan, anyIssuer(plan, pick), { more: [ext('2.5.29.36', false, seq(element(0x81, Buffer.of(0))))] }),
  'name constraints on the leaf': plan => set(plan, leafOf(plan), { more: [constraints([dns('example.com')], [])] }),
  'leaf revoked': plan => {
    plan.crls = (options, i) => (i === leafOf(plan) - 1 ? { ...options, revoked: ['*'] } : options)
  },
  'issuer revoked': plan => {
    plan.crls = (options, i) => (i === leafOf(plan) - 2 ? { ...options, revoked: ['*'] } : options)
  },
  'leaf on hold': plan => {
    plan.crls = (options, i) =>
      i === leafOf(plan) - 1 ? { ...options, entries: [{ serialNumber: '*', reason: 6 }] } : options
  },
  'CRL missing': (plan, pick) => {
    const i = anyCa(plan, pick)
    plan.crls = (options, j) => (i === j ? undefined : options)
  },
  'CRL out of date': (plan, pick) =>
    crlChange(plan, pick, { thisUpdate: daysFromNow(-9), nextUpdate: daysFromNow(-0.001) }),
  'CRL from the future': (plan, pick) => crlChange(plan, pick, { thisUpdate: daysFromNow(0.001) }),
  'CRL with an unknown critical extension': (plan, pick) => crlChange(plan, pick, { more: [unknown(true)] }),
  'CRL without nextUpdate': (plan, pick) => crlChange(plan, pick, { nextUpdate: false }),
  'CRL without number': (plan, pick) => crlChange(plan, pick, { extensions: { cRLNumber: false } }),
  'delta CRL alone': (plan, pick) => crlChange(plan, pick, { more: [ext('2.5.29.27', true, integer(0n))] }),
  'CRL for attribute certificates only': (plan, pick) =>
    crlChange(plan, pick, { more: [ext('2.5.29.28', true, seq(element(0x85, Buffer.of(255))))] }),
  'CRL for CA or user certificates only': (plan, pick) =>
    crlChange(plan, pick, { more: [ext('2.5.29.28', true, seq(element(pick.of([0x81, 0x82]), Buffer.of(255))))] }),
  'CRL of another name': (plan, pick) => crlChange(plan, pick, { issuerName: 'CN=Somebody Else' }),
  'CRL entry with a critical extension': (plan, pick) =>
    crlChange(plan, pick, { entries: [{ serialNumber: '0a0b', extensions: [unknown(true)] }] }),
  'issuer that may not sign CRLs': (plan, pick) => {
    set(plan, anyCa(plan, pick), { extensions: { keyUsage: new KeyUsagesExtension(32, true) } })
    plan.crls = options => options
  },
}

function crlChange(plan: Plan, pick: Picker, change: Partial<CrlOptions>): void {
  const i = anyCa(plan, pick)
  plan.crls = (options, j) => (i === j ? { ...options, ...change } : options)
}

function flipped(made: Made, at: number): Made {
  return fromDer(made, made.der.with(at, (made.der[at] ?? 0) ^ 1))
}

const kinds: readonly KeyKind[] = ['P-256', 'P-256', 'P-256', 'P-384', 'Ed25519', 'RSA-2048', 'RSA-3072']

/** RSA keys are slow to make and may serve again. */
const pool = new Map<string, ReturnType<typeof makeKeys>[]>()

async function keysOf(kind: KeyKind, hash: string, pick: Picker) {
  if (!kind.startsWith('RSA-')) return makeKeys(kind, hash)
  const name = `${kind} ${hash}`
  const made = pool.get(name) ?? []
  if (made.length < 8) made.push(makeKeys(kind, hash))
  pool.set(name, made)
  return pick.of(made)
}

export type Row = {
  readonly way: string
  readonly right: boolean
  readonly openssl: boolean
  readonly opensslSays: string
  readonly ours: boolean
  readonly reason: PathReason | null
}

export const ways = [
  ...Object.entries(rightWays).map(([way, change]) => ({ way, change, right: true })),
  ...Object.entries(wrongWays).map(([way, change]) => ({ way, change, right: false })),
]

/** One chain for each way in turn, `count` in all. */
export async function* compare(count: number, seed: number): AsyncGenerator<Row> {
  const pick = picker(random(seed))
  const folder = mkdtempSync(join(tmpdir(), 'chains-'))
  try {
    for (let i = 0; i < count; i++) {
      const { way, change, right } = ways[i % ways.length] ?? pick.of(ways)
      const plan: Plan = { links: Array.from({ length: 3 + pick.below(3) }, (_, i) => ({ subject: `CN=Link ${i}` })) }
      set(plan, leafOf(plan), { dns: ['www.example.com'] })
      change(plan, pick)
      yield { way, right, ...(await decide(await build(plan, pick), plan, folder)) }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function build(plan: Plan, pick: Picker): Promise<Made[]> {
  const made: Made[] = []
  const plain = plan.links.some(link => link.hash !== undefined || link.patch !== undefined)
  for (const [i, link] of plan.links.entries()) {
    const { patch, authority, ...options } = link
    const issuer = made[i - 1]
    const kind = plain ? 'P-256' : pick.of(kinds)
    const keys = await keysOf(kind, 'SHA-256', pick)
    const identifier = authority && issuer && { authorityKeyIdentifier: authority(issuer) }
    const given = {
      kind,
      keys,
      ...(issuer && { issuer }),
      ...options,
      extensions: { ...options.extensions, ...identifier },
    }
    const make = i === 0 ? makeRoot : i === leafOf(plan) ? makeLeaf : makeIssuer
    const right = await make(given)
    made.push(patch ? patch(right, issuer ?? right) : right)
  }
  return made
}

async function decide(made: Made[], plan: Plan, folder: string) {
  const [leaf, root] = [made.at(-1), made[0]]
  if (leaf === undefined || root === undefined) throw new RangeError('empty chain')
  const untrusted = made.slice(1, -1).filter((_, i) => i + 1 !== plan.missing)
  if (plan.decoys)
    for (const each of made.slice(0, -1)) untrusted.push(await makeIssuer({ issuer: each, subject: each.subject }))
  const roots = [plan.otherRoot ? await makeRoot({ subject: root.subject }) : root]
  const crls: string[] = []
  for (const [i, issuer] of made.slice(0, -1).entries()) {
    const options = plan.crls?.({ issuer }, i)
    const below = made[i + 1]
    if (options && below) crls.push(await makeCrl(withSerial(options, below.serial)))
  }
  const chain = { leaf, untrusted, roots, crls: plan.crls && crls, name: plan.name }
  return { ...byOpenssl(chain, folder), ...byUs(chain) }
}

/** `*` stands for the serial number of the certificate that the CRL is to revoke. */
function withSerial(options: CrlOptions, serial: string): CrlOptions {
  return {
    ...options,
    revoked: (options.revoked ?? []).map(each => (each === '*' ? serial : each)),
    entries: (options.entries ?? []).map(each =>
      each.serialNumber === '*' ? { ...each, serialNumber: serial } : each,
    ),
  }
}

type Chain = {
  readonly leaf: Made
  readonly untrusted: readonly Made[]
  readonly roots: readonly Made[]
  readonly crls: readonly string[] | undefined
  readonly name: PeerName | undefined
}

function byOpenssl({ leaf, untrusted, roots, crls, name }: Chain, folder: string) {
  const file = (label: string, pems: readonly string[]) => {
    const path = join(folder, label)
    writeFileSync(path, pems.join(''))
    return path
  }
  const pem = (list: readonly Made[]) => list.map(each => each.certificate)
  const checked = spawnSync('openssl', [
    ...[
      'verify',
      '-x509_strict',
      '-purpose',
      'sslserver',
      '-no-CApath',
      '-no-CAstore',
      '-CAfile',
      file('roots', pem(roots)),
    ],
    ...(untrusted.length > 0 ? ['-untrusted', file('untrusted', pem(untrusted))] : []),
    ...(name ? [name.form === 'ip' ? '-verify_ip' : '-verify_hostname', name.value] : []),
    ...(crls ? ['-crl_check_all', ...(crls.length > 0 ? ['-CRLfile', file('crls', crls)] : [])] : []),
    file('leaf', [leaf.certificate]),
  ])
  const opensslSays =
    /error .*/.exec(String(checked.stderr))?.[0] ?? String(checked.stderr).trim().split('\n').at(-1) ?? ''
  return { openssl: checked.status === 0, opensslSays }
}

function byUs({ leaf, untrusted, roots, crls, name }: Chain): { ours: boolean; reason: PathReason | null } {
  try {
    const result = validatePath({
      leaf: readCertificate(leaf.certificate),
      untrusted: untrusted.map(each => readCertificate(each.certificate)),
      roots: roots.map(each => readCertificate(each.certificate)),
      at: new Date(),
      purposes: [serverAuth],
      profile: 'rfc5280',
      ...(name && { name }),
      ...(crls && { crls: storeOf(crls.flatMap(readCrls)) }),
    })
    return { ours: result.ok, reason: result.ok ? null : result.reason }
  } catch (error) {
    if (error instanceof Malformed) return { ours: false, reason: 'malformed' }
    throw error
  }
}

function storeOf(crls: readonly Crl[]) {
  const store = crlStore()
  for (const crl of crls) store.add(crl)
  return store
}

if (import.meta.main) {
  const [count = 2500, seed = 1] = process.argv.slice(2).map(Number)
  console.log(`${execFileSync('openssl', ['version'])}`.trim(), `${count} chains, ${ways.length} ways, seed ${seed}`)
  const tally = { 'both accept': 0, 'both refuse': 0, 'only we refuse': 0, 'ONLY OPENSSL REFUSES': 0 }
  const stricter = new Map<string, number>()
  for await (const { way, right, openssl, opensslSays, ours, reason } of compare(count, seed)) {
    const outcome = openssl ? (ours ? 'both accept' : 'only we refuse') : ours ? 'ONLY OPENSSL REFUSES' : 'both refuse'
    tally[outcome]++
    if (outcome === 'ONLY OPENSSL REFUSES') console.log(`${outcome}: ${way}: ${opensslSays}`)
    if (right && outcome !== 'both accept') console.log(`a right chain: ${outcome}: ${way}: ${opensslSays} ${reason}`)
    if (!right && outcome === 'both accept')
      stricter.set(
        `accepted by both, though meant wrong: ${way}`,
        (stricter.get(`accepted by both, though meant wrong: ${way}`) ?? 0) + 1,
      )
    if (outcome === 'only we refuse') stricter.set(`${way}: ${reason}`, (stricter.get(`${way}: ${reason}`) ?? 0) + 1)
  }
  console.log(tally)
  console.log('Only we refuse:', Object.fromEntries([...stricter].sort()))
  process.exitCode = tally['ONLY OPENSSL REFUSES'] > 0 ? 1 : 0
}
