/** What was proved of a member's key or connection is remembered, and forgotten when it no longer holds. */
import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readCrls, SIGNING, TRANSPORT } from '#trust/certificate.ts'
import { type Anchors, type Member, proveKey, provePath, provePeer, readMembers } from '#trust/members.ts'
import { daysFromNow, type Made, makeCrl, makeIssuer, makeMember, makeRoot } from '../certificates.ts'

const now = Date.now()

/** A federation of one member, as files and as read. */
async function federation() {
  const folder = mkdtempSync(join(tmpdir(), 'members-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const root = await makeRoot()
  const issuer = await makeIssuer({ issuer: root })
  const signing = await makeMember({ issuer, city: 'hangzhou' })
  const tls = await makeMember({ issuer, city: 'hangzhou', kind: 'tls', dns: ['gateway.hangzhou.example'] })
  const pem = (...made: Made[]) => made.map(each => each.certificate).join('\n')
  for (const name of ['members', 'crls']) mkdirSync(join(folder, name))
  writeFileSync(join(folder, 'root.pem'), pem(root))
  writeFileSync(join(folder, 'signing.pem'), pem(signing, issuer))
  writeFileSync(join(folder, 'tls.pem'), pem(tls, issuer))
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
  const read = async () => {
    const members = await readMembers(folder, folder, [])
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
  const { member, key, anchors } = await federation()
  const until = proveKey(member, key, anchors, now)
  expect(Math.abs(until - daysFromNow(3).getTime())).toBeLessThan(5000)
  expect(proveKey(member, key, anchors, now + 1000)).toBe(until)
  expect(() => proveKey(member, key, anchors, until + 1000)).toThrow('token.certificate')
  expect(() => proveKey(member, key, anchors, now - 400 * 86_400_000)).toThrow('token.certificate')
})

test('a key that was proved is refused as soon as a list revokes it', async () => {
  const { member, key, anchors, issuer, signing } = await federation()
  proveKey(member, key, anchors, now)
  await revoke(anchors, issuer, signing)
  expect(() => proveKey(member, key, anchors, now)).toThrow(/revocation\.revoked/)
})

test('a key proved for one city is not proved for another', async () => {
  const { member, key, anchors } = await federation()
  proveKey(member, key, anchors, now)
  const other: Member = { ...member, id: 'ningbo' }
  expect(() => proveKey(other, key, anchors, now)).toThrow(/belongs to hangzhou/)
})

test('what one gateway proved is not proved for the next', async () => {
  const one = await federation()
  const other = await federation()
  proveKey(one.member, one.key, one.anchors, now)
  expect(() => proveKey(one.member, one.key, other.anchors, now)).toThrow('token.certificate')
})

test('a connection is proved, remembered, and refused as soon as a list revokes its certificate', async () => {
  const { members, anchors, issuer, tls } = await federation()
  const shown = { raw: new X509Certificate(tls.certificate).raw }
  expect(provePeer(shown, members, now)).toBe('hangzhou')
  expect(provePeer(shown, members, now)).toBe('hangzhou')
  await revoke(anchors, issuer, tls)
  expect(() => provePeer(shown, members, now)).toThrow(/revocation\.revoked/)
})

test('a path is proved for its own purposes only, whatever is remembered of it', async () => {
  const { member, key, anchors } = await federation()
  const prove = (purposes: readonly string[]) => provePath(member.id, key.chain, anchors, now, purposes, key.file)
  prove([SIGNING])
  expect(() => prove(TRANSPORT)).toThrow(/purpose/)
})
