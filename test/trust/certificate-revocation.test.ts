/** Lists of revoked certificates: what is read, what is kept, what clears a certificate. */
import 'reflect-metadata'
import { Extension, KeyUsagesExtension } from '@peculiar/x509'
import { beforeAll, describe, expect, test } from 'vitest'
import { type CrlStore, crlStore, type PathInput, readCertificate, readCrls, validatePath } from '#trust/certificate.ts'
import { Malformed } from '#trust/der.ts'
import {
  type CrlOptions,
  daysFromNow,
  element,
  integer,
  type Made,
  makeCrl,
  makeIssuer,
  makeLeaf,
  makeRoot,
} from '../certificates.ts'

let root: Made
let leaf: Made
beforeAll(async () => {
  root = await makeRoot()
  leaf = await makeLeaf({ issuer: root })
})

async function listOf(options: Partial<CrlOptions> = {}) {
  const [crl] = readCrls(await makeCrl({ issuer: root, ...options }))
  if (crl === undefined) throw new Malformed('made CRL')
  return crl
}

async function storeOf(...lists: Partial<CrlOptions>[]): Promise<CrlStore> {
  const store = crlStore()
  for (const options of lists) store.add(await listOf(options))
  return store
}

function verdict(crls: CrlStore, more: Partial<PathInput> = {}, made = leaf, top = root): string {
  const [question, roots] = [readCertificate(made.certificate), [readCertificate(top.certificate)]]
  const result = validatePath({
    leaf: question,
    untrusted: [],
    roots,
    at: new Date(),
    crls,
    profile: 'rfc5280',
    ...more,
  })
  return result.ok ? 'accepted' : result.reason
}

describe('a list', () => {
  test('clears what it does not name, and refuses what it names, whatever the reason', async () => {
    expect(verdict(await storeOf({}))).toBe('accepted')
    expect(verdict(await storeOf({ revoked: ['1234'] }))).toBe('accepted')
    expect(verdict(await storeOf({ revoked: ['1234', leaf] }))).toBe('revocation.revoked')
    expect(verdict(await storeOf({ entries: [{ serialNumber: leaf.serial, reason: 6 }] }))).toBe('revocation.revoked')
  })

  test('clears from thisUpdate to nextUpdate, and through the grace that the federation signed', async () => {
    const [thisUpdate, nextUpdate] = [daysFromNow(-2), daysFromNow(-1)]
    const store = await storeOf({ thisUpdate, nextUpdate })
    const [begin, end] = [thisUpdate.getTime(), nextUpdate.getTime()]
    const early = await makeLeaf({ issuer: root, notBefore: daysFromNow(-9) })
    const old = await makeRoot({ keys: root.keys, notBefore: daysFromNow(-9) })
    const when = (time: number, grace?: number) =>
      verdict(store, { at: new Date(time), ...(grace !== undefined && { grace }) }, early, old)
    expect(when(begin - 1)).toBe('revocation.not-yet')
    expect(when(begin)).toBe('accepted')
    expect(when(end)).toBe('accepted')
    expect(when(end + 1)).toBe('revocation.stale')
    expect(when(end + 1000, 1000)).toBe('accepted')
    expect(when(end + 1001, 1000)).toBe('revocation.stale')
  })

  test('of an issuer that may not sign lists clears nothing', async () => {
    const mute = await makeRoot({ extensions: { keyUsage: new KeyUsagesExtension(32, true) } })
    const store = await storeOf({ issuer: mute })
    expect(verdict(store, {}, await makeLeaf({ issuer: mute }), mute)).toBe('revocation.issuer')
  })

  test('that names another key than its issuer has clears nothing', async () => {
    const keyId = new Extension('2.5.29.35', false, element(0x30, element(0x80, Buffer.of(1, 2, 3))))
    expect(verdict(await storeOf({ extensions: { authorityKeyIdentifier: keyId } }))).toBe('revocation.issuer')
    expect(verdict(await storeOf({ extensions: { authorityKeyIdentifier: false } }))).toBe('accepted')
  })

  test('signed by another key, or under another name, clears nothing', async () => {
    const other = await makeRoot()
    expect(verdict(await storeOf({ signer: other }))).toBe('revocation.missing')
    expect(verdict(await storeOf({ issuerName: 'CN=Other' }))).toBe('revocation.missing')
  })

  test('covers every certificate but the root', async () => {
    const issuer = await makeIssuer({ issuer: root })
    const below = await makeLeaf({ issuer })
    const untrusted = [readCertificate(issuer.certificate)]
    expect(verdict(await storeOf({}, { issuer }), { untrusted }, below)).toBe('accepted')
    expect(verdict(await storeOf({ issuer }), { untrusted }, below)).toBe('revocation.missing')
    expect(verdict(await storeOf({}), { untrusted }, below)).toBe('revocation.missing')
  })
})

describe('a list is not read', () => {
  const critical = (id: string, value = element(5)) => new Extension(id, true, value)
  const unread: [string, Partial<CrlOptions>][] = [
    ['without nextUpdate', { nextUpdate: false }],
    ['without a number', { extensions: { cRLNumber: false } }],
    ['with a critical number', { extensions: { cRLNumber: critical('2.5.29.20', integer(1n)) } }],
    ['with a number of 21 octets', { number: 1n << 160n }],
    [
      'with a negative number',
      { extensions: { cRLNumber: new Extension('2.5.29.20', false, element(2, Buffer.of(0x80))) } },
    ],
    ['when it is a delta', { more: [critical('2.5.29.27', integer(0n))] }],
    ['when it is a delta that hides it', { more: [new Extension('2.5.29.27', false, integer(0n))] }],
    ['when it is partitioned or indirect', { more: [critical('2.5.29.28', element(0x30))] }],
    ['with an unknown critical extension', { more: [critical('1.2.3.4')] }],
    [
      'with a critical extension in an entry',
      { entries: [{ serialNumber: '01', extensions: [critical('2.5.29.29')] }] },
    ],
    ['that takes an entry back', { entries: [{ serialNumber: '01', reason: 8 }] }],
  ]
  test.each(unread)('%s', async (_what, options) => {
    await expect(listOf(options)).rejects.toThrow(Malformed)
  })

  test('with anything around it, or with a byte changed', async () => {
    const pem = await makeCrl({ issuer: root })
    expect(() => readCrls(`${pem}x`)).toThrow(Malformed)
    expect(() => readCrls(`x${pem}`)).toThrow(Malformed)
    expect(() => readCrls(pem.replace('\nMI', '\nNI'))).toThrow(Malformed)
    expect(readCrls('')).toEqual([])
    expect(readCrls(`\n${pem}\n${pem}`)).toHaveLength(2)
  })

  test('with an unknown extension that is not critical it is read', async () => {
    expect((await listOf({ more: [new Extension('1.2.3.4', false, element(5))], number: 300 })).number).toBe(300n)
  })
})

describe('the store', () => {
  test('takes a newer list and refuses an older one, and one of the same number', async () => {
    const store = crlStore()
    const [one, two, three] = [
      await listOf({ number: 1 }),
      await listOf({ number: 2, revoked: [leaf] }),
      await listOf({ number: 3 }),
    ]
    expect(store.add(two)).toBe('added')
    expect(verdict(store)).toBe('revocation.revoked')
    expect(store.add(two)).toBe('known')
    expect(store.add(one)).toBe('older')
    expect(store.add(await listOf({ number: 2 }))).toBe('conflict')
    expect(verdict(store)).toBe('revocation.revoked')
    expect(store.add(three)).toBe('added')
    expect(verdict(store)).toBe('accepted')
    expect(store.add(two)).toBe('older')
    expect(store.list()).toEqual([three])
  })

  test('uses the highest number of what it was given, whatever the order', async () => {
    const [older, newer] = [await listOf({ number: 9 }), await listOf({ number: 10, revoked: [leaf] })]
    for (const order of [
      [older, newer],
      [newer, older],
    ]) {
      const store = crlStore()
      for (const crl of order) store.add(crl)
      expect(verdict(store)).toBe('revocation.revoked')
    }
  })

  test('is not deceived by a forged list with a high number', async () => {
    const forger = await makeRoot()
    const store = await storeOf({ signer: forger, number: 1n << 100n }, { number: 1 })
    expect(verdict(store)).toBe('accepted')
    expect(store.add(await listOf({ signer: forger, number: 1n << 101n }))).toBe('added')
    expect(store.add(await listOf({ number: 2, revoked: [leaf] }))).toBe('added')
    expect(verdict(store)).toBe('revocation.revoked')
  })

  test('keeps a proven list however many forged ones come, and not all of those', async () => {
    const forger = await makeRoot()
    const store = await storeOf({ number: 1 })
    expect(verdict(store)).toBe('accepted')
    for (let i = 2; i < 40; i++) store.add(await listOf({ signer: forger, number: i }))
    expect(verdict(store)).toBe('accepted')
    expect(store.list().length).toBeLessThan(20)
  })

  test('keeps the lists of two keys of one name apart', async () => {
    const renewed = await makeRoot()
    const store = await storeOf({ number: 9 }, { issuer: renewed, number: 1 })
    expect(verdict(store)).toBe('accepted')
    expect(verdict(store, {}, await makeLeaf({ issuer: renewed }), renewed)).toBe('accepted')
  })

  test('says by its revision that something was added', async () => {
    const store = crlStore()
    const before = store.revision
    store.add(await listOf())
    expect(store.revision).not.toBe(before)
    expect(crlStore().revision).not.toBe(before)
  })
})
