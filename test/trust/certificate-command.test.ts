/** `xinqiao certs verify`, as the command line calls it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { certsVerify } from '#trust/certs-command.ts'
import { daysFromNow, makeCrl, makeIssuer, makeMember, makeRoot } from '../certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'certs-'))
afterAll(() => rmSync(folder, { recursive: true }))

const path = (name: string) => join(folder, name)

beforeAll(async () => {
  const root = await makeRoot()
  const issuer = await makeIssuer({ issuer: root })
  const signing = await makeMember({ issuer, city: 'hangzhou' })
  const tls = await makeMember({ issuer, city: 'hangzhou', kind: 'tls', dns: ['gw.example'], ip: ['192.0.2.1'] })
  const limbo = limboCase(root.certificate, issuer.certificate, signing.certificate)
  const files = {
    'root.pem': root.certificate,
    'issuer.pem': issuer.certificate,
    'signing.pem': signing.certificate,
    'signing.der': signing.der,
    'tls.pem': tls.certificate,
    'two.pem': signing.certificate + tls.certificate,
    'crls.pem': (await makeCrl({ issuer: root })) + (await makeCrl({ issuer, revoked: [tls] })),
    'broken.pem': 'no certificate',
    'cases.json': JSON.stringify({ testcases: [limbo] }),
    'lax.json': JSON.stringify({
      testcases: [{ ...limbo, extended_key_usage: [], peer_certificate: tls.certificate, expected_result: 'FAILURE' }],
    }),
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(path(name), content)
})

function limboCase(root: string, issuer: string, leaf: string) {
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
})
