/** What was proved of a member's key or connection is remembered, and forgotten when it no longer holds. */
import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type Anchors, proveFormerKey, proveKey, provePath } from '#trust/anchors.ts'
import { readCrls, SIGNING, TRANSPORT } from '#trust/certificate.ts'
import { readMembers } from '#trust/members.ts'
import { signRoll } from '../../src/office.ts'
import { daysFromNow, type Made, makeCrl, makeIssuer, makeMember, makeRoot } from '../certificates.ts'

const now = Date.now()

/** A federation of one member, as files and as read. */
async function federation(validity: { readonly notAfter?: Date } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'members-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const root = await makeRoot()
  const issuer = await makeIssuer({ issuer: root })
  const signing = await makeMember({ issuer, city: 'hangzhou', ...validity })
  const tls = await makeMember({ issuer, city: 'hangzhou', kind: 'tls', dns: ['gateway.hangzhou.example'] })
  const office = await makeMember({ issuer, city: 'federation', kind: 'office' })
  const pem = (...made: Made[]) => made.map(each => each.certificate).join('\n')
  for (const name of ['members', 'crls']) mkdirSync(join(folder, name))
  writeFileSync(join(folder, 'root.pem'), pem(root))
  writeFileSync(join(folder, 'signing.pem'), pem(signing, issuer))
  writeFileSync(join(folder, 'tls.pem'), pem(tls, issuer))
  writeFileSync(join(folder, 'federation.pem'), pem(office, issuer))
  writeFileSync(join(folder, 'office.pem'), office.key, { mode: 0o600 })
  writeFileSync(join(folder, 'crls', 'root.pem'), await makeCrl({ issuer: root, nextUpdate: daysFromNow(7) }))
  writeFileSync(join(folder, 'crls', 'issuer.pem'), await makeCrl({ issuer, number: 1, nextUpdate: daysFromNow(3) }))
  const member = {
    id: 'hangzhou',
    name: { zh: '杭州', en: 'Hangzhou' },
    divisions: ['330100'],
    endpoint: 'https://gateway.hangzhou.example',
    certificates: { signing: ['signing.pem'], transport: ['tls.pem'] },
  }
  writeFileSync(join(folder, 'members', 'hangzhou.json'), JSON.stringify(member))
  const rules = { algorithms: ['ES256'], crlGraceSeconds: 0, publishSeconds: 60 }
  writeFileSync(join(folder, 'rules.json'), JSON.stringify(rules))
  await signRoll({ config: folder, certs: folder, keys: folder }, 30, now)
  const read = async () => {
    const members = await readMembers({ config: folder, certs: folder }, () => now, [])
    if (members === undefined) throw new Error('no roll')
    const [found] = members.all
    const [key] = found?.keys.values() ?? []
    if (found === undefined || key === undefined) throw new Error('not read')
    return { members, anchors: members.anchors, member: found, key }
  }
  return { issuer, signing, tls, read, ...(await read()) }
}

async function revoke(anchors: Anchors, issuer: Made, revoked: Made): Promise<void> {
  for (const crl of readCrls(await makeCrl({ issuer, number: 2, revoked: [revoked] }))) anchors.crls.add(crl)
}

test('a key holds until the first list of its path ends, and is looked at again then', async () => {
  const { key, anchors } = await federation()
  const until = proveKey('hangzhou', key, anchors, now)
  expect(Math.abs(until - daysFromNow(3).getTime())).toBeLessThan(5000)
  expect(proveKey('hangzhou', key, anchors, now + 1000)).toBe(until)
  expect(() => proveKey('hangzhou', key, anchors, until + 1000)).toThrow('token.certificate')
  expect(() => proveKey('hangzhou', key, anchors, now - 400 * 86_400_000)).toThrow('token.certificate')
})

test('a key that was proved is refused as soon as a list revokes it', async () => {
  const { key, anchors, issuer, signing } = await federation()
  proveKey('hangzhou', key, anchors, now)
  await revoke(anchors, issuer, signing)
  expect(() => proveKey('hangzhou', key, anchors, now)).toThrow(/revocation\.revoked/)
})

test('a key proved for one city is not proved for another', async () => {
  const { key, anchors } = await federation()
  proveKey('hangzhou', key, anchors, now)
  expect(() => proveKey('ningbo', key, anchors, now)).toThrow(/of hangzhou, not of ningbo/)
})

test('what one gateway proved is not proved for the next', async () => {
  const one = await federation()
  const other = await federation()
  proveKey('hangzhou', one.key, one.anchors, now)
  expect(() => proveKey('hangzhou', one.key, other.anchors, now)).toThrow('token.certificate')
})

test('a connection is proved, remembered, and refused as soon as a list revokes its certificate', async () => {
  const { members, anchors, issuer, tls } = await federation()
  const shown = { raw: new X509Certificate(tls.certificate).raw }
  const open = members.connected(shown, now)
  expect(open.city(now)).toBe('hangzhou')
  expect(members.connected(shown, now).city(now)).toBe('hangzhou')
  await revoke(anchors, issuer, tls)
  expect(() => members.connected(shown, now)).toThrow(/revocation\.revoked/)
  // The connection that was open before as well.
  expect(() => open.city(now)).toThrow(/revocation\.revoked/)
})

test('a path is proved for its own purposes only, whatever is remembered of it', async () => {
  const { key, anchors } = await federation()
  const prove = (purposes: readonly string[]) => provePath('hangzhou', key.chain, anchors, now, purposes)
  prove([SIGNING])
  expect(() => prove(TRANSPORT)).toThrow(/purpose/)
})

test('a key that has ended proves what it signed before, unless it was revoked since', async () => {
  const { key, anchors, issuer, signing } = await federation({ notAfter: daysFromNow(1) })
  const later = now + 2 * 86_400_000
  expect(() => proveKey('hangzhou', key, anchors, later)).toThrow(/validity\.expired/)
  proveFormerKey('hangzhou', key, anchors, now, later)
  expect(() => proveFormerKey('ningbo', key, anchors, now, later)).toThrow(/of hangzhou/)
  // Nothing is proved from lists that have ended: they would not say that it was revoked.
  expect(() => proveFormerKey('hangzhou', key, anchors, now, now + 5 * 86_400_000)).toThrow(/revocation\.stale/)
  await revoke(anchors, issuer, signing)
  expect(() => proveFormerKey('hangzhou', key, anchors, now, later)).toThrow(/revocation\.revoked/)
})
