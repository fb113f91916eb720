/** `xinqiao certs verify`, as the command line calls it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { certsVerify } from '#trust/certs-command.ts'
import {
  daysFromNow,
  type Made,
  makeCrl,
  makeIssuer,
  makeLeaf,
  makeMember,
  makeRoot,
  memberSigning,
} from '../certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'certs-'))
afterAll(() => rmSync(folder, { recursive: true }))

const path = (name: string) => join(folder, name)

let root: Made
let issuer: Made
beforeAll(async () => {
  root = await makeRoot()
  issuer = await makeIssuer({ issuer: root })
  const signing = await makeMember({ issuer, city: 'hangzhou' })
  const tls = await makeMember({ issuer, city: 'hangzhou', kind: 'tls', dns: ['gw.example'], ip: ['192.0.2.1'] })
  const limbo = limboCase(root.certificate, issuer.certificate, signing.certificate)
  const files = {
    'root.pem': root.certificate,
    'root.der': root.der,
    'issuer.pem': issuer.certificate,
    'signing.pem': signing.certificate,
    'signing.der': signing.der,
    'tls.pem': tls.certificate,
    'two.pem': signing.certificate + tls.certificate,
    'path.pem': signing.certificate + issuer.certificate,
    'mail.pem': (await makeLeaf({ issuer, email: ['desk@city.example'] })).certificate,
    'crls.pem': (await makeCrl({ issuer: root })) + (await makeCrl({ issuer, revoked: [tls] })),
    'broken.pem': 'no certificate',
    'cases.json': JSON.stringify({ testcases: [limbo] }),
    'lax.json': JSON.stringify({
      testcases: [{ ...limbo, extended_key_usage: [], peer_certificate: tls.certificate, expected_result: 'FAILURE' }],
    }),
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(path(name), content)
})

type Name = { readonly kind: string; readonly value: string }

type LimboCase = {
  readonly id: string
  readonly validation_kind: string
  readonly trusted_certs: readonly string[]
  readonly untrusted_intermediates: readonly string[]
  readonly peer_certificate: string
  readonly validation_time: string | null | undefined
  readonly extended_key_usage: readonly string[]
  readonly expected_result: string
  readonly expected_peer_name: Name | null | undefined
  readonly expected_peer_names: readonly Name[] | null | undefined
  readonly max_chain_depth: number | null | undefined
  readonly crls: readonly string[] | null | undefined
}

function limboCase(root: string, issuer: string, leaf: string): LimboCase {
  return {
    id: 'one',
    validation_kind: 'CLIENT',
    trusted_certs: [root],
    untrusted_intermediates: [issuer],
    peer_certificate: leaf,
    validation_time: null,
    extended_key_usage: ['clientAuth'],
    expected_result: 'SUCCESS',
    expected_peer_name: null,
    expected_peer_names: [],
    max_chain_depth: null,
    crls: [],
  }
}

async function run(...args: string[]) {
  const lines: string[] = []
  const status = await certsVerify(args, line => lines.push(line))
  return { status, lines }
}

const verify = (leaf: string, ...more: string[]) =>
  run(
    '--roots',
    path('root.pem'),
    '--untrusted',
    path('issuer.pem'),
    '--leaf',
    path(leaf),
    '--at',
    new Date().toISOString(),
    ...more,
  )

const accepted = { status: 0, lines: ['{"ok":true,"reason":null}'] }
const refused = (reason: string) => ({ status: 1, lines: [`{"ok":false,"reason":"${reason}"}`] })

/** What is said of each of these cases of one file, by its id, and the exit status. */
async function judged(cases: Readonly<Record<string, Partial<LimboCase>>>) {
  const leaf = await makeLeaf({ issuer, dns: ['gw.example', 'two.example'], ip: ['192.0.2.1'] })
  const good = { ...limboCase(root.certificate, issuer.certificate, leaf.certificate), extended_key_usage: [] }
  const testcases = Object.entries(cases).map(([id, over]) => ({ ...good, validation_kind: 'SERVER', ...over, id }))
  writeFileSync(path('judged.json'), JSON.stringify({ testcases }))
  const { status, lines } = await run('--cases', path('judged.json'))
  const said = lines.map(line => JSON.parse(line)).map(({ id, got, reason }) => [id, reason ?? got])
  return { status, said: Object.fromEntries(said) }
}

describe('certs verify', () => {
  test('prints one line and returns 0 for a path that holds, 1 with the reason for one that does not', async () => {
    expect(await verify('signing.pem')).toEqual(accepted)
    expect(await verify('signing.der')).toEqual(accepted)
    expect(await verify('signing.pem', '--at', daysFromNow(99).toISOString())).toEqual(refused('validity.expired'))
    expect(await verify('broken.pem')).toEqual(refused('malformed'))
  })

  test('takes the first certificate of the file as the one to verify, whatever follows it', async () => {
    expect(await verify('two.pem', '--eku', 'signing')).toEqual(accepted)
    expect(await verify('two.pem', '--eku', 'serverAuth')).toEqual(refused('purpose.extended-key-usage'))
  })

  test('asks for purposes by name or by number, all of them', async () => {
    expect(await verify('signing.pem', '--eku', 'signing')).toEqual(accepted)
    expect(await verify('tls.pem', '--eku', 'serverAuth', '--eku', '1.3.6.1.5.5.7.3.2')).toEqual(accepted)
    expect(await verify('tls.pem', '--eku', 'serverAuth', '--eku', 'signing')).toEqual(
      refused('purpose.extended-key-usage'),
    )
  })

  test.each([
    ['serverAuth', '1.3.6.1.5.5.7.3.1'],
    ['clientAuth', '1.3.6.1.5.5.7.3.2'],
    ['codeSigning', '1.3.6.1.5.5.7.3.3'],
    ['emailProtection', '1.3.6.1.5.5.7.3.4'],
    ['timeStamping', '1.3.6.1.5.5.7.3.8'],
    ['OCSPSigning', '1.3.6.1.5.5.7.3.9'],
    ['anyExtendedKeyUsage', '2.5.29.37.0'],
    ['signing', memberSigning],
  ])('knows by its name the purpose %s', async (name, oid) => {
    writeFileSync(path('purpose.pem'), (await makeLeaf({ issuer, purposes: [oid] })).certificate)
    expect(await verify('purpose.pem', '--eku', name)).toEqual(accepted)
    expect(await verify('tls.pem', '--eku', name)).toEqual(
      ['serverAuth', 'clientAuth'].includes(name) ? accepted : refused('purpose.extended-key-usage'),
    )
  })

  test('finds the issuers behind the first certificate of the file, and roots in DER', async () => {
    const alone = (leaf: string, roots = 'root.pem') =>
      run('--roots', path(roots), '--leaf', path(leaf), '--at', new Date().toISOString())
    expect(await alone('path.pem')).toEqual(accepted)
    expect(await alone('path.pem', 'root.der')).toEqual(accepted)
    expect(await alone('signing.pem')).toEqual(refused('path.no-issuer'))
    expect(await alone('signing.pem', 'tls.pem')).toEqual(refused('path.no-issuer'))
    expect(await alone('broken.pem')).toEqual(refused('malformed'))
  })

  test('asks for a mailbox where there is an @', async () => {
    expect(await verify('mail.pem', '--name', 'desk@city.example')).toEqual(accepted)
    expect(await verify('mail.pem', '--name', 'other@city.example')).toEqual(refused('name.mismatch'))
  })

  test('reads a time in any zone', async () => {
    const soon = daysFromNow(29.9).getTime()
    const told = (ms: number, zone: string) => new Date(ms).toISOString().replace('Z', zone)
    expect(await verify('signing.pem', '--at', told(soon, 'Z'))).toEqual(accepted)
    expect(await verify('signing.pem', '--at', told(soon, '-08:00'))).toEqual(refused('validity.expired'))
    expect(await verify('signing.pem', '--at', told(soon, '+08:00'))).toEqual(accepted)
  })

  test('asks for a name by its looks', async () => {
    for (const name of ['gw.example', '192.0.2.1', 'xinqiao://hangzhou.city']) {
      expect(await verify('tls.pem', '--name', name)).toEqual(accepted)
    }
    for (const name of ['other.example', '192.0.2.2', 'xinqiao://ningbo.city', 'a@gw.example']) {
      expect(await verify('tls.pem', '--name', name)).toEqual(refused('name.mismatch'))
    }
  })

  test('asks for a depth, for lists and for the federation profile', async () => {
    expect(await verify('signing.pem', '--max-depth', '0')).toEqual(refused('path.too-long'))
    expect(await verify('signing.pem', '--max-depth', '1')).toEqual(accepted)
    expect(await verify('tls.pem', '--crls', path('crls.pem'))).toEqual(refused('revocation.revoked'))
    expect(await verify('signing.pem', '--crls', path('broken.pem'))).toEqual(refused('malformed'))
    expect(await verify('signing.pem', '--profile', 'federation')).toEqual(refused('revocation.missing'))
    expect(await verify('signing.pem', '--profile', 'federation', '--crls', path('crls.pem'))).toEqual(accepted)
  })

  test.each([
    ['nothing', []],
    ['no leaf', ['--roots', 'x', '--at', '2026-01-01T00:00:00Z']],
    ['an unknown option', ['--roof', 'x']],
    ['a word too many', ['x']],
    ['a missing file', ['--roots', path('none'), '--leaf', path('none'), '--at', '2026-01-01T00:00:00Z']],
    ['cases and more', ['--cases', path('cases.json'), '--at', '2026-01-01T00:00:00Z']],
    ['cases that are none', ['--cases', path('root.pem')]],
  ])('returns 2 and its usage for %s', async (_what, args) => {
    const { status, lines } = await run(...args)
    expect(status).toBe(2)
    expect(lines.join('\n')).toContain('usage: xinqiao certs verify')
  })

  test.each([
    ['a time without a zone', '--at', '2026-01-01T00:00:00'],
    ['a day', '--at', '2026-01-01'],
    ['an unknown purpose', '--eku', 'everything'],
    ['a purpose of one number', '--eku', '1'],
    ['a purpose with a word before it', '--eku', 'x1.2'],
    ['a purpose with a word behind it', '--eku', '1.2x'],
    ['a purpose with two dots', '--eku', '1..2'],
    ['a depth that is no whole number', '--max-depth', '1.5'],
    ['a depth that is none', '--max-depth', 'two'],
    ['a negative depth', '--max-depth', '-1'],
    ['an unknown profile', '--profile', 'none'],
  ])('returns 2 for %s', async (_what, option, value) => {
    expect((await verify('signing.pem', `${option}=${value}`)).status).toBe(2)
  })

  test('prints a line for each case of a file, and returns 1 when one that must fail was accepted', async () => {
    const line = {
      id: 'one',
      expected: 'SUCCESS',
      got: 'FAILURE',
      reason: 'purpose.extended-key-usage',
      ms: expect.any(Number),
    }
    const strict = await run('--cases', path('cases.json'))
    expect(strict.status).toBe(0)
    expect(strict.lines.map(line => JSON.parse(line))).toEqual([line])
    const lax = await run('--cases', path('lax.json'))
    expect(lax.status).toBe(1)
    expect(lax.lines.map(line => JSON.parse(line))).toEqual([
      { ...line, expected: 'FAILURE', got: 'SUCCESS', reason: null },
    ])
  })

  test('says what is wrong with how it was called, and how to call it', async () => {
    const said = async (...args: string[]) => (await run(...args)).lines.join('\n')
    expect(await said('--leaf', 'x', '--at', 'noon')).toMatch(/at roots/)
    expect(await verify('signing.pem', '--eku', 'everything')).toMatchObject({
      lines: [expect.stringContaining('no such purpose: everything')],
    })
    expect(await said('--cases', 'x', '--leaf', 'y')).toContain('--cases stands alone')
    const usage = await said()
    expect(usage).toMatch(/usage: xinqiao certs verify --roots FILE .*--leaf FILE --at ISO/)
    expect(usage).toMatch(/--max-depth N\] \[--profile rfc5280\|federation\]\n {7}xinqiao certs verify --cases FILE$/)
  })
})

describe('a file of cases', () => {
  const dns = (value: string) => ({ kind: 'DNS', value })

  test('holds every name that a case expects against the certificate', async () => {
    const { said } = await judged({
      none: {},
      one: { expected_peer_name: dns('gw.example') },
      'not that one': { expected_peer_name: dns('other.example') },
      both: { expected_peer_names: [dns('gw.example'), { kind: 'IP', value: '192.0.2.1' }] },
      'the second not': { expected_peer_names: [dns('gw.example'), dns('other.example')] },
      'the last of three not': { expected_peer_names: [dns('gw.example'), dns('two.example'), dns('other.example')] },
      'the first not': { expected_peer_names: [dns('other.example'), dns('gw.example')] },
      'one and others': { expected_peer_name: dns('gw.example'), expected_peer_names: [dns('other.example')] },
      'not that address': { expected_peer_name: { kind: 'IP', value: '192.0.2.2' } },
      'no mailbox': { expected_peer_name: { kind: 'RFC822', value: 'desk@city.example' } },
      unsaid: { expected_peer_name: undefined, expected_peer_names: undefined },
      nothing: { expected_peer_names: null },
    })
    expect(said).toEqual({
      none: 'SUCCESS',
      one: 'SUCCESS',
      'not that one': 'name.mismatch',
      both: 'SUCCESS',
      'the second not': 'name.mismatch',
      'the last of three not': 'name.mismatch',
      'the first not': 'name.mismatch',
      'one and others': 'name.mismatch',
      'not that address': 'name.mismatch',
      'no mailbox': 'name.mismatch',
      unsaid: 'SUCCESS',
      nothing: 'SUCCESS',
    })
  })

  test('takes the mailbox of a case for one', async () => {
    const { certificate } = await makeLeaf({ issuer, email: ['desk@city.example'] })
    const expected_peer_name = { kind: 'RFC822', value: 'desk@city.example' }
    const { said } = await judged({ mail: { peer_certificate: certificate, expected_peer_name } })
    expect(said).toEqual({ mail: 'SUCCESS' })
  })

  test('binds a certificate with purposes to the kind of a case that names none', async () => {
    const client = await makeLeaf({ issuer, purposes: ['1.3.6.1.5.5.7.3.2'] })
    const any = await makeLeaf({ issuer, extensions: { extendedKeyUsage: false } })
    const { said } = await judged({
      'a server': { validation_kind: 'SERVER' },
      'no client': { validation_kind: 'CLIENT' },
      'a client': { validation_kind: 'CLIENT', peer_certificate: client.certificate },
      'no server': { validation_kind: 'SERVER', peer_certificate: client.certificate },
      'by what it names': { validation_kind: 'CLIENT', extended_key_usage: ['serverAuth'] },
      'of no purpose': { validation_kind: 'CLIENT', peer_certificate: any.certificate },
    })
    expect(said).toEqual({
      'a server': 'SUCCESS',
      'no client': 'purpose.extended-key-usage',
      'a client': 'SUCCESS',
      'no server': 'purpose.extended-key-usage',
      'by what it names': 'SUCCESS',
      'of no purpose': 'SUCCESS',
    })
  })

  test('keeps to the time, the depth and the lists of a case', async () => {
    const revoked = await makeLeaf({ issuer })
    const crls = [(await makeCrl({ issuer: root })) + (await makeCrl({ issuer, revoked: [revoked] }))]
    const { said } = await judged({
      now: { validation_time: undefined },
      'not yet': { validation_time: daysFromNow(-2).toISOString() },
      'no more': { validation_time: daysFromNow(31).toISOString() },
      'too deep': { max_chain_depth: 0 },
      'deep enough': { max_chain_depth: 1 },
      listed: { crls, peer_certificate: revoked.certificate },
      'not listed': { crls },
      'without lists': { crls: null, peer_certificate: revoked.certificate },
      'with none': { crls: [], peer_certificate: revoked.certificate },
    })
    expect(said).toEqual({
      now: 'SUCCESS',
      'not yet': 'validity.not-yet',
      'no more': 'validity.expired',
      'too deep': 'path.too-long',
      'deep enough': 'SUCCESS',
      listed: 'revocation.revoked',
      'not listed': 'SUCCESS',
      'without lists': 'SUCCESS',
      'with none': 'SUCCESS',
    })
  })

  test('is not stopped by an issuer that cannot be read, and names it where it was the one that was needed', async () => {
    const broken = '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n'
    const { said, status } = await judged({
      beside: { untrusted_intermediates: [broken, issuer.certificate] },
      instead: { untrusted_intermediates: [broken] },
      missing: { untrusted_intermediates: [] },
      'broken root': { trusted_certs: [broken] },
      'broken root beside': { trusted_certs: [broken, root.certificate] },
      'another fault': { untrusted_intermediates: [broken, issuer.certificate], max_chain_depth: 0 },
      itself: { peer_certificate: broken },
    })
    expect(said).toEqual({
      beside: 'SUCCESS',
      instead: 'malformed',
      missing: 'path.no-issuer',
      'broken root': 'malformed',
      'broken root beside': 'SUCCESS',
      'another fault': 'path.too-long',
      itself: 'malformed',
    })
    expect(status).toBe(0)
  })

  test('returns 1 where one of many that must fail was accepted, and tells how long each took', async () => {
    const start = performance.now()
    const { status } = await judged({
      good: { expected_result: 'SUCCESS' },
      refused: { expected_result: 'FAILURE', max_chain_depth: 0 },
    })
    expect(status).toBe(0)
    expect((await judged({ lax: { expected_result: 'FAILURE' }, good: {} })).status).toBe(1)
    const { lines } = await run('--cases', path('judged.json'))
    const took = performance.now() - start
    for (const { ms } of lines.map(line => JSON.parse(line))) {
      expect(ms).toBeGreaterThanOrEqual(0)
      expect(ms).toBeLessThan(took)
      expect(String(ms)).toMatch(/^[0-9]+(\.[0-9])?$/)
    }
  })
})
