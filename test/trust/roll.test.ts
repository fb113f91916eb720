/** Who belongs is what the newest roll of the federation's office says, and nothing else can add, keep or remove a city. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compactVerify, decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Fault } from '#protocol/fault.ts'
import { readLists } from '#trust/anchors.ts'
import { type Keys, readKeys } from '#trust/keys.ts'
import { type LiveMembers, readMembers } from '#trust/members.ts'
import { Bundle, configurationOf, entityOf, OFFICE, STATEMENT_TYPE } from '#trust/statement.ts'
import { type Federation, makeFederation } from '../../src/federation.ts'
import { signRoll } from '../../src/office.ts'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-roll-'))
const learnt = mkdtempSync(join(tmpdir(), 'xinqiao-learnt-'))
let federation: Federation
let first: Bundle
let second: Bundle
/** Number 3: Huizhou is no longer on it. */
let third: Bundle
/** Another number 2, signed by the same office. */
let fork: Bundle
const now = Date.now
const config = () => federation.office.config
const bundleIn = (path: string) => Bundle.parse(JSON.parse(readFileSync(join(path, 'roll.json'), 'utf8')))

beforeAll(async () => {
  federation = await makeFederation(folder, { cities: ['jiangyin', 'huizhou'], logLevel: 'silent' })
  first = bundleIn(config())
  await signRoll(federation.office, 20, now())
  second = bundleIn(config())
  const aside = join(folder, 'aside')
  cpSync(config(), aside, { recursive: true })
  rmSync(join(aside, 'members', 'huizhou.json'))
  await signRoll({ ...federation.office, config: aside }, 20, now())
  third = bundleIn(aside)
  writeFileSync(join(aside, 'roll.json'), JSON.stringify(first))
  await signRoll({ ...federation.office, config: aside }, 20, now())
  fork = bundleIn(aside)
})
afterAll(() => {
  for (const each of [folder, learnt]) rmSync(each, { recursive: true })
})
beforeEach(() => rmSync(join(learnt, 'federation'), { recursive: true, force: true }))

async function open(bundle: Bundle, clock: () => number = now): Promise<LiveMembers> {
  writeFileSync(join(config(), 'roll.json'), JSON.stringify(bundle))
  const faults: Fault[] = []
  const places = { config: config(), certs: federation.office.certs, data: learnt, keeps: true } as const
  const members = await readMembers(places, clock, faults)
  if (members === undefined) throw new Error(faults.map(({ problem }) => problem).join(', '))
  return members
}

async function keysOf(city: string, members: LiveMembers): Promise<Keys> {
  const keys = await readKeys(federation.city(city).settings, city, members, now(), [])
  if (keys === undefined) throw new Error('no keys')
  return keys
}

const ids = ({ all }: LiveMembers) => all.map(({ id }) => id)
const seconds = () => Math.floor(now() / 1000)

describe('a roll', () => {
  it('has the form of entity statements, which another implementation reads and verifies', async () => {
    const { header, claims } = { header: decodeProtectedHeader(first.roll), claims: decodeJwt(first.roll) }
    expect(header.typ).toBe('entity-statement+jwt')
    expect([claims.iss, claims.sub]).toEqual([entityOf(OFFICE), entityOf(OFFICE)])
    const members = await open(first)
    const [key] = (await keysOf('jiangyin', members)).described.keys
    if (key === undefined) throw new Error('no key')
    const [statement = ''] = first.statements.filter(each => decodeJwt(each).sub === entityOf('jiangyin'))
    expect(decodeJwt(statement)['jwks']).toMatchObject({ keys: [{ kid: key.kid, use: 'sig', alg: 'ES256' }] })
    const said = configurationOf(
      (await keysOf('jiangyin', members)).described,
      first,
      (await keysOf('jiangyin', members)).signer,
      seconds(),
    )
    await expect(compactVerify(said, key.key)).resolves.toMatchObject({ protectedHeader: { typ: STATEMENT_TYPE } })
  })

  it('that is newer is taken, and one that is older or known is not', async () => {
    const members = await open(first)
    expect(await members.take(second, now())).toBe('taken')
    expect(await members.take(second, now())).toBe('known')
    expect(await members.take(first, now())).toBe('older')
    expect(members.roll.number).toBe(2)
  })

  it('without a city expels it, and a roll of before does not bring it back, nor does a restart', async () => {
    const members = await open(second)
    expect(ids(members)).toEqual(['huizhou', 'jiangyin'])
    expect(await members.take(third, now())).toBe('taken')
    expect(ids(members)).toEqual(['jiangyin'])
    expect(members.find('huizhou')).toBeUndefined()
    expect(await members.take(second, now())).toBe('older')
    // The file still says the old number; what was learnt counts.
    expect(ids(await open(second))).toEqual(['jiangyin'])
  })

  it('of the same number with another text is a fork: refused, and said', async () => {
    const members = await open(second)
    await expect(members.take(fork, now())).rejects.toThrow(/two rolls of number 2/)
    expect(members.roll.bundle).toEqual(second)
  })

  it('says nothing any more once it has ended: nobody is a member', async () => {
    let clock = now()
    const members = await open(first, () => clock)
    clock = members.roll.until - 1
    expect(members.find('jiangyin')?.id).toBe('jiangyin')
    clock = members.roll.until
    expect(members.find('jiangyin')).toBeUndefined()
    await expect(open(first, () => clock)).rejects.toThrow(/token\.expired|validity\.expired|revocation\.stale/)
  })

  it.each([
    ['a statement that is left out', () => ({ ...second, statements: second.statements.slice(1) })],
    ['a statement of another roll', () => ({ ...second, statements: first.statements })],
    ['a statement too many', () => ({ ...third, statements: second.statements })],
    ['a statement twice', () => ({ ...third, statements: [...third.statements, ...third.statements] })],
    ['a statement in place of the roll', () => ({ ...second, roll: second.statements[0] ?? '' })],
    ['the signature of another', () => ({ ...second, roll: graft(second.roll, first.roll) })],
    ['the claims of another', () => ({ ...second, roll: graft(first.roll, second.roll) })],
  ])('with %s is refused', async (_, forged) => {
    const members = await open(first)
    await expect(members.take(forged(), now())).rejects.toThrow(/token\.(claims|signature|issuer)/)
    expect([members.roll.number, ids(members)]).toEqual([1, ['huizhou', 'jiangyin']])
  })

  it('signed by a member, with the member’s own good certificate, is refused', async () => {
    const members = await open(first)
    const { signer } = await keysOf('huizhou', members)
    const claims = decodeJwt(second.roll)
    const own = decodeJwt(configurationOf((await keysOf('huizhou', members)).described, first, signer, seconds()))
    for (const forged of [claims, { ...claims, jwks: own['jwks'] }]) {
      const { token } = signer(STATEMENT_TYPE, JSON.stringify(forged))
      await expect(members.take({ ...second, roll: token }, now())).rejects.toThrow(/token\.(signature|certificate)/)
    }
  })
})

describe('an office whose key was stolen', () => {
  it('is done with once its certificate is revoked: the roll that the thief signed binds nobody, not even over a restart', async () => {
    const stolen = join(folder, 'stolen')
    cpSync(config(), stolen, { recursive: true })
    rmSync(join(stolen, 'members', 'huizhou.json'))
    const { certs, keys } = federation.office
    // The thief takes the highest number that there is.
    writeFileSync(join(stolen, 'roll.json'), JSON.stringify(second))
    for (let i = 0; i < 3; i++) await signRoll({ ...federation.office, config: stolen }, 20, now())
    const members = await open(second)
    expect(await members.take(bundleIn(stolen), now())).toBe('taken')
    expect([members.roll.number, ids(members)]).toEqual([5, ['jiangyin']])

    const before = new Map(['federation.pem'].map(name => [join(certs, name), readFileSync(join(certs, name), 'utf8')]))
    before.set(join(keys, 'office.pem'), readFileSync(join(keys, 'office.pem'), 'utf8'))
    const list = join(certs, 'crls', 'issuing.pem')
    before.set(list, readFileSync(list, 'utf8'))
    writeFileSync(list, (await federation.authority.revoke([readFileSync(join(certs, 'federation.pem'), 'utf8')])).pem)
    const { certificate, key } = await federation.authority.issue(OFFICE, 'statements')
    writeFileSync(join(certs, 'federation.pem'), certificate)
    writeFileSync(join(keys, 'office.pem'), key, { mode: 0o600 })
    writeFileSync(join(config(), 'roll.json'), JSON.stringify(first))
    const anew = await signRoll(federation.office, 20, now())
    try {
      expect(anew.number).toBe(2)
      readLists(certs, members.anchors.crls, [])
      expect(await members.take(anew.bundle, now())).toBe('taken')
      expect(ids(members)).toEqual(['huizhou', 'jiangyin'])
      expect(ids(await open(anew.bundle))).toEqual(['huizhou', 'jiangyin'])
    } finally {
      for (const [path, text] of before) writeFileSync(path, text, { mode: 0o600 })
    }
  })
})

describe('what a city says of itself', () => {
  it('is taken from its own key, kept over a restart, and passed over when older', async () => {
    const members = await open(second)
    const { described, signer } = await keysOf('huizhou', members)
    const at = seconds()
    const token = configurationOf(described, second, signer, at)
    expect(await members.learn('huizhou', token, now())).toBe('known')
    const none = configurationOf({ ...described, encryption: [] }, second, signer, at - 10)
    await members.learn('huizhou', none, now())
    expect(members.find('huizhou')?.encryption.size).toBe(1)
    expect([...((await open(second)).find('huizhou')?.keys.keys() ?? [])]).toEqual(described.keys.map(({ kid }) => kid))
  })

  it('goes on over a restart until it says something newer, or the key it replaced would be back', async () => {
    let clock = now()
    const members = await open(second, () => clock)
    const { described, signer } = await keysOf('huizhou', members)
    await members.learn(
      'huizhou',
      configurationOf({ ...described, encryption: [] }, undefined, signer, seconds()),
      clock,
    )
    expect(members.find('huizhou')?.encryption.size).toBe(0)
    clock += 2 * 86_400_000
    expect((await open(second, () => clock)).find('huizhou')?.encryption.size).toBe(0)
  })

  it('brings a newer roll along, and never an older one or somebody else’s', async () => {
    const members = await open(first)
    const { described, signer } = await keysOf('huizhou', members)
    expect(await members.learn('huizhou', configurationOf(described, second, signer, seconds()), now())).toBe('taken')
    expect(members.roll.number).toBe(2)
    await members.learn('huizhou', configurationOf(described, first, signer, seconds() + 1), now())
    expect(members.roll.number).toBe(2)
    const forged = { ...third, roll: signer(STATEMENT_TYPE, JSON.stringify(decodeJwt(third.roll))).token }
    await expect(
      members.learn('huizhou', configurationOf(described, forged, signer, seconds() + 2), now()),
    ).rejects.toThrow('token.')
    expect(ids(members)).toEqual(['huizhou', 'jiangyin'])
  })

  it('cannot change the address that is called, the name, or the place: those are the office’s word', async () => {
    const members = await open(second)
    const { described, signer } = await keysOf('huizhou', members)
    const before = members.find('huizhou')
    const lies = {
      ...described,
      endpoint: 'https://169.254.169.254/',
      name: { zh: '深圳', en: 'Shenzhen' },
      divisions: ['440300'],
    }
    await members.learn('huizhou', configurationOf(lies, second, signer, seconds()), now())
    const after = members.find('huizhou')
    expect([after?.endpoint, after?.name, after?.divisions]).toEqual([
      before?.endpoint,
      before?.name,
      before?.divisions,
    ])
  })

  it.each([
    ['for another city', 'jiangyin', /token\.issuer/],
    ['for a city that is not on the roll', 'atlantis', /token\.issuer/],
  ])('does not count %s', async (_, city, reason) => {
    const members = await open(second)
    const { described, signer } = await keysOf('huizhou', members)
    await expect(members.learn(city, configurationOf(described, second, signer, seconds()), now())).rejects.toThrow(
      reason,
    )
  })

  it('with the keys of another city is refused', async () => {
    const members = await open(second)
    const ours = await keysOf('huizhou', members)
    const theirs = await keysOf('jiangyin', members)
    const stolen = { ...ours.described, keys: theirs.described.keys }
    await expect(
      members.learn('huizhou', configurationOf(stolen, second, ours.signer, seconds()), now()),
    ).rejects.toThrow(/token\.(signature|certificate)/)
    await expect(
      members.learn('huizhou', configurationOf(stolen, second, theirs.signer, seconds()), now()),
    ).rejects.toThrow(/of jiangyin, not of huizhou/)
  })

  it.each([
    ['made tomorrow', 86_400, /token\.future/],
    ['made the day before yesterday', -2 * 86_400, /token\.expired/],
  ])('%s is refused', async (_, shift, reason) => {
    const members = await open(second)
    const { described, signer } = await keysOf('huizhou', members)
    await expect(
      members.learn('huizhou', configurationOf(described, second, signer, seconds() + shift), now()),
    ).rejects.toThrow(reason)
  })
})

/** The header and claims of one token with the signature of another. */
function graft(claims: string, signature: string): string {
  return [...claims.split('.').slice(0, 2), signature.split('.')[2]].join('.')
}
