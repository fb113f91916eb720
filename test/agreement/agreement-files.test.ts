/** Of the files of an agreement every fault has its place and its remedy, and of a sound one nothing is asked. */
import { createPrivateKey } from 'node:crypto'
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type Agreement,
  checkSignature,
  formatted,
  isConfidential,
  readAgreement,
  readAgreements,
  signAgreement,
} from '#agreement/agreement.ts'
import { digest } from '#protocol/canonical.ts'
import type { Fault } from '#protocol/fault.ts'
import { Refusal } from '#protocol/refusal.ts'
import { readVocabulary } from '#schema/vocabulary.ts'
import { readCertificates } from '#trust/certificate.ts'
import { signerOf } from '#trust/keys.ts'
import { type Members, readMembers } from '#trust/members.ts'
import { newKey } from '#trust/request.ts'
import { certifiedKey } from '#trust/statement.ts'
import { type Federation, makeFederation } from '../../src/federation.ts'
import { daysFromNow, makeCrl, makeMember, makeRoot } from '../certificates.ts'
import { agreementId } from '../federation.ts'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-agreement-files-'))
const pristine = mkdtempSync(join(tmpdir(), 'xinqiao-agreement-files-before-'))
const config = join(folder, 'federation-config')
const certs = join(folder, 'certs')
const agreements = join(config, 'agreements')
const file = `agreements/${agreementId}.json`
const NOW = Date.now()
let federation: Federation
let members: Members
let original: Agreement

const words = join(import.meta.dirname, '..', '..', 'federation-config', 'vocabulary')
const vocabulary = readVocabulary(
  readdirSync(words).map(name => ({ file: name, text: readFileSync(join(words, name), 'utf8') })),
)

beforeAll(async () => {
  federation = await makeFederation(folder, { cities: ['jiangyin', 'huizhou'], logLevel: 'silent' })
  cpSync(folder, pristine, { recursive: true })
  members = await membersNow()
  original = JSON.parse(readFileSync(join(agreements, `${agreementId}.json`), 'utf8'))
})
beforeEach(() => {
  for (const each of [agreements, certs]) rmSync(each, { recursive: true })
  cpSync(join(pristine, 'federation-config', 'agreements'), agreements, { recursive: true })
  cpSync(join(pristine, 'certs'), certs, { recursive: true })
})
afterAll(() => {
  for (const each of [folder, pristine]) rmSync(each, { recursive: true })
})

async function membersNow(): Promise<Members> {
  const read = await readMembers({ config, certs }, () => NOW, [])
  if (read === undefined) throw new Error('no members')
  return read
}

function signerFor(city: string) {
  const [key] = members.find(city)?.keys.values() ?? []
  if (key === undefined) throw new Error(`no key of ${city}`)
  return signerOf(key, createPrivateKey(readFileSync(join(folder, 'keys', city, 'signing.pem'), 'utf8')))
}

const CITIES = ['jiangyin', 'huizhou']
/** Writes a changed agreement, signed by both. */
function write(change: (text: Agreement) => unknown, name = agreementId): Agreement {
  const text = structuredClone(original)
  change(text)
  writeFileSync(join(agreements, `${name}.json`), formatted(text))
  for (const city of CITIES) {
    writeFileSync(join(agreements, `${name}.${city}.jws`), `${signAgreement(text, signerFor(city))}\n`)
  }
  return text
}

function look(us = 'jiangyin', known: Members | null = members) {
  const faults: Fault[] = []
  const read = readAgreements(config, us, known ?? undefined, vocabulary, NOW, faults)
  for (const { file, problem, remedy } of faults) for (const text of [file, problem, remedy]) expect(text).not.toBe('')
  return { ...read, faults }
}
const told = (us?: string) => look(us).faults.map(({ file, path, problem }) => [file, path, problem])

const grantOf = (text: Agreement, at = 0) => {
  const grant = text.grants[at]
  if (grant === undefined) throw new RangeError('no grant')
  return grant
}
const familyOf = (text: Agreement, name: string) => {
  const family = grantOf(text).families[name]
  if (family === undefined) throw new RangeError('no family')
  return family
}

describe('a sound agreement', () => {
  it('is read by each party with its digest, and holds from its first day to its last in Asia/Shanghai', () => {
    for (const city of CITIES) {
      const { all, find, faults } = look(city)
      expect(faults).toEqual([])
      expect(all).toEqual([
        {
          text: original,
          digest: digest(original),
          begins: Date.parse('2026-03-31T16:00:00Z'),
          ends: Date.parse('2028-03-31T16:00:00Z'),
        },
      ])
      expect(find(agreementId)).toBe(all[0])
      expect(find('another')).toBeUndefined()
    }
  })

  it('of one day holds that day', () => {
    write(text => Object.assign(text, { validFrom: '2026-05-20', validTo: '2026-05-20' }))
    expect(look().all[0]).toMatchObject({
      begins: Date.parse('2026-05-19T16:00:00Z'),
      ends: Date.parse('2026-05-20T16:00:00Z'),
    })
  })

  it('says whether messages travel sealed', () => {
    const [plain] = look().all
    write(text => Object.assign(text, { confidential: true }))
    const [sealed] = look().all
    expect([plain && isConfidential(plain), sealed && isConfidential(sealed)]).toEqual([false, true])
  })

  it('stands among others, each of its own file, and what is no JSON file is passed over', () => {
    write(text => Object.assign(text, { id: 'another.json.one' }), 'another.json.one')
    writeFileSync(join(agreements, 'readme.txt'), 'nothing')
    const { all, find, faults } = look()
    expect([faults, all.map(({ text }) => text.id)]).toEqual([[], ['another.json.one', agreementId]])
    expect(find('another.json.one')?.text.id).toBe('another.json.one')
  })

  it('is nothing to a city that is no party', () => {
    expect(look('suqian')).toMatchObject({ all: [], faults: [] })
  })

  it('is none where there is no folder', () => {
    rmSync(agreements, { recursive: true })
    try {
      expect(look()).toMatchObject({ all: [], faults: [] })
    } finally {
      cpSync(join(pristine, 'federation-config', 'agreements'), agreements, { recursive: true })
    }
  })

  it('is not believed without members, though nothing is wrong with its text', () => {
    expect(look('jiangyin', null)).toMatchObject({ all: [], faults: [] })
  })
})

describe('an agreement with a fault', () => {
  it.each<[string, (text: Agreement) => unknown, readonly (readonly [string, string])[]]>([
    ['a party twice', text => text.parties.push('huizhou'), [['parties', 'a party is named twice']]],
    [
      'a giver that is no party',
      text => grantOf(text).from.push('suqian'),
      [['grants[0].from', 'party suqian is not known']],
    ],
    [
      'a receiver that is no party',
      text => grantOf(text, 1).to.push('suqian'),
      [['grants[1].to', 'party suqian is not known']],
    ],
    [
      'a purpose',
      text => grantOf(text).purposes.push('gossip'),
      [['grants[0].purposes', 'purpose gossip is not known']],
    ],
    [
      'a family',
      text => Object.assign(grantOf(text).families, { gossip: { fields: ['name'], lists: ['honour'] } }),
      [['grants[0].families', 'family gossip is not known']],
    ],
    [
      'a field, in each family for itself',
      text => [familyOf(text, 'penalty').fields.push('shoeSize'), familyOf(text, 'licence').fields.push('fine')],
      [
        ['grants[0].families.licence.fields', 'field fine is not known'],
        ['grants[0].families.penalty.fields', 'field shoeSize is not known'],
      ],
    ],
    [
      'a list',
      text => familyOf(text, 'list').lists?.push('gossip'),
      [['grants[0].families.list.lists', 'list gossip is not known']],
    ],
    [
      'a rating scheme',
      text => familyOf(text, 'rating').schemes?.push('stars'),
      [['grants[0].families.rating.schemes', 'rating scheme stars is not known']],
    ],
    [
      'lists where there are none',
      text => Object.assign(familyOf(text, 'licence'), { lists: ['honour'] }),
      [['grants[0].families.licence.lists', 'family licence has no lists']],
    ],
    [
      'schemes where there are none',
      text => Object.assign(familyOf(text, 'list'), { schemes: ['tax-2025'] }),
      [['grants[0].families.list.schemes', 'family list has no schemes']],
    ],
    [
      'no lists where there are some',
      text => delete familyOf(text, 'list').lists,
      [['grants[0].families.list.lists', 'is missing']],
    ],
    [
      'no schemes where there are some',
      text => delete familyOf(text, 'rating').schemes,
      [['grants[0].families.rating.schemes', 'is missing']],
    ],
    [
      'the field of the list left out',
      text => Object.assign(familyOf(text, 'list'), { fields: ['name'] }),
      [['grants[0].families.list.fields', 'type is not granted']],
    ],
    [
      'the field of the scheme left out',
      text => Object.assign(familyOf(text, 'rating'), { fields: ['level'] }),
      [['grants[0].families.rating.fields', 'scheme is not granted']],
    ],
    [
      'an end before its beginning',
      text => Object.assign(text, { validTo: '2026-03-31' }),
      [['validTo', 'ends before it begins']],
    ],
  ])('is not believed, and exactly that is told: %s', (_, change, faults) => {
    write(change)
    const read = look()
    expect([
      read.all,
      read.faults.filter(({ file: of }) => of === file).map(each => [each.path, each.problem]),
    ]).toEqual([[], faults])
  })

  it('in its text has that told without members as well', () => {
    write(text => text.parties.push('atlantis'))
    const { faults } = look('jiangyin', null)
    expect(faults.map(({ file, problem }) => [file, problem])).toEqual([
      [`agreements/${agreementId}.atlantis.jws`, 'atlantis has not signed'],
    ])
    write(text => grantOf(text).purposes.push('gossip'))
    expect(look('jiangyin', null).faults).toHaveLength(1)
  })

  it('keeps no other from being believed', () => {
    write(text => Object.assign(text, { id: 'another' }), 'another')
    write(text => text.parties.push('huizhou'))
    const { all, faults } = look()
    expect([all.map(({ text }) => text.id), faults.length]).toEqual([['another'], 1])
  })

  it('under another name than its id is told so', () => {
    write(() => undefined, 'another')
    expect(told()).toEqual([['agreements/another.json', 'id', 'differs from the file name']])
  })

  it('that names us no more, though our signature lies beside it, is told so; without it, nothing', () => {
    write(text => Object.assign(text, { parties: ['huizhou', 'suqian'] }))
    expect(told()).toEqual([[file, 'parties', 'we signed this agreement, and it does not name jiangyin']])
    rmSync(join(agreements, `${agreementId}.jiangyin.jws`))
    expect(told()).toEqual([])
  })
})

describe('an agreement that rests', () => {
  it('is one of which no other party is on the roll: it is no fault, and not believed', async () => {
    write(text => Object.assign(text, { parties: ['jiangyin', 'atlantis'] }))
    writeFileSync(join(agreements, `${agreementId}.atlantis.jws`), 'whatever it signed once')
    write(text => {
      text.parties = ['jiangyin', 'atlantis']
      for (const grant of text.grants) Object.assign(grant, { from: ['jiangyin'], to: ['atlantis'] })
      delete text.recognition
    })
    expect(look()).toMatchObject({
      all: [],
      faults: [],
      idle: [{ id: agreementId, why: 'no other party is on the roll' }],
    })
    expect(look('jiangyin', null)).toMatchObject({ all: [], faults: [], idle: [] })
  })

  it('is not one of which a third party is on the roll no more: the two others go on', () => {
    write(text => text.parties.push('atlantis'))
    writeFileSync(join(agreements, `${agreementId}.atlantis.jws`), 'whatever it signed once')
    const { all, idle, faults } = look()
    expect([all.length, idle, faults]).toEqual([1, [], []])
  })

  it('is one that a party signed with a key whose certificate was revoked since, and says who has to sign anew', async () => {
    const authority = federation.authority
    const signing = readFileSync(join(certs, 'huizhou-signing.pem'), 'utf8')
    const { name, pem } = await authority.revoke([signing])
    writeFileSync(join(certs, 'crls', name), pem)
    const { all, idle, faults } = look('jiangyin', await membersNow())
    expect([all, faults]).toEqual([[], []])
    expect(idle).toMatchObject([{ id: agreementId, why: expect.stringContaining('huizhou has to sign anew') }])
    expect(idle[0]?.why).toContain('revocation.revoked')
  })
})

describe('an agreement whose text cannot be read, or whose algorithm is given up', () => {
  it('has its file named, and keeps no other from being read', () => {
    write(text => Object.assign(text, { id: 'another' }), 'another')
    writeFileSync(join(agreements, `${agreementId}.json`), 'nothing')
    const { all, faults } = look()
    expect(all.map(({ text }) => text.id)).toEqual(['another'])
    expect(faults.map(fault => [fault.file, fault.path])).toEqual([[file, '']])
  })

  it('rests where the rules no longer name the algorithm of a signature, and says of each party why', () => {
    const { roll } = members
    const rules = { ...roll.rules, algorithms: ['Ed25519' as const] }
    const strict: Members = { ...members, anchors: members.anchors, all: members.all, roll: { ...roll, rules } }
    const { all, idle, faults } = look('jiangyin', strict)
    expect([all, faults]).toEqual([[], []])
    expect(idle).toMatchObject([
      { id: agreementId, why: expect.stringMatching(/^jiangyin has to sign anew: .*; huizhou has to sign anew: /) },
    ])
  })
})

describe('the form of an agreement', () => {
  const read = (value: unknown) => {
    const faults: Fault[] = []
    const text = readAgreement(typeof value === 'string' ? value : formatted(value), file, faults)
    if (text === undefined) expect(faults).not.toEqual([])
    return { text, faults }
  }
  const refusing: [string, (text: Agreement) => unknown, string][] = [
    ['an id that is no code', text => Object.assign(text, { id: 'A b' }), 'id'],
    ['no title in Chinese', text => Object.assign(text.title, { zh: '' }), 'title.zh'],
    ['no title in English', text => Object.assign(text.title, { en: '' }), 'title.en'],
    ['a title in a third language', text => Object.assign(text.title, { fr: 'x' }), 'title'],
    ['one party', text => Object.assign(text, { parties: ['jiangyin'] }), 'parties'],
    ['a party that is no city', text => Object.assign(text, { parties: ['jiangyin', 'Huizhou'] }), 'parties.1'],
    ['a day of signing that is none', text => Object.assign(text, { signedOn: '2026-02-30' }), 'signedOn'],
    ['a first day that is an instant', text => Object.assign(text, { validFrom: '2026-04-01T00:00:00Z' }), 'validFrom'],
    ['no last day', text => Object.assign(text, { validTo: undefined }), 'validTo'],
    ['no question a minute', text => Object.assign(text.quota, { questionsPerMinute: 0 }), 'quota.questionsPerMinute'],
    ['no subject a day', text => Object.assign(text.quota, { subjectsPerDay: 0 }), 'quota.subjectsPerDay'],
    ['a quota of more', text => Object.assign(text.quota, { perYear: 1 }), 'quota'],
    ['a confidentiality that is said to be none', text => Object.assign(text, { confidential: false }), 'confidential'],
    ['no grant', text => Object.assign(text, { grants: [] }), 'grants'],
    ['a clause without a name', text => Object.assign(grantOf(text), { clause: '' }), 'grants.0.clause'],
    ['no giver', text => Object.assign(grantOf(text), { from: [] }), 'grants.0.from'],
    ['no receiver', text => Object.assign(grantOf(text), { to: [] }), 'grants.0.to'],
    ['no purpose', text => Object.assign(grantOf(text), { purposes: [] }), 'grants.0.purposes'],
    ['no kind', text => Object.assign(grantOf(text), { kinds: [] }), 'grants.0.kinds'],
    ['a natural person', text => Object.assign(grantOf(text), { kinds: ['person'] }), 'grants.0.kinds.0'],
    ['a level that is none', text => Object.assign(grantOf(text), { shareLevel: 'secret' }), 'grants.0.shareLevel'],
    ['a grant with more in it', text => Object.assign(grantOf(text), { unless: 'x' }), 'grants.0'],
    [
      'a family without fields',
      text => Object.assign(familyOf(text, 'penalty'), { fields: [] }),
      'grants.0.families.penalty.fields',
    ],
    ['no list', text => Object.assign(familyOf(text, 'list'), { lists: [] }), 'grants.0.families.list.lists'],
    ['no scheme', text => Object.assign(familyOf(text, 'rating'), { schemes: [] }), 'grants.0.families.rating.schemes'],
    [
      'a family with more in it',
      text => Object.assign(familyOf(text, 'list'), { all: true }),
      'grants.0.families.list',
    ],
    ['a member that has no place', text => Object.assign(text, { annex: 'x' }), ''],
  ]

  it.each(refusing)('is none with %s, and the place is told', (_, change, path) => {
    const text = structuredClone(original)
    change(text)
    const { faults } = read(text)
    expect(faults.map(fault => fault.path)).toEqual([path])
    expect(faults[0]).toMatchObject({ file, remedy: 'docs/protocol.md, section Agreements' })
    expect(read(text).text).toBeUndefined()
  })

  it('may be one question a minute and one subject a day', () => {
    expect(read({ ...original, quota: { questionsPerMinute: 1, subjectsPerDay: 1 } }).faults).toEqual([])
  })

  it('is JSON, and in its one kept form', () => {
    expect(read('nothing').faults[0]).toMatchObject({
      file,
      path: '',
      problem: expect.stringContaining('not a JSON object'),
      remedy: 'correct the text',
    })
    expect(read(JSON.stringify(original)).faults).toEqual([
      {
        file,
        path: '',
        problem: 'the file is not in its kept form',
        remedy: expect.stringContaining('xinqiao agreement sign'),
      },
    ])
    expect(read(original).text).toEqual(original)
  })
})

describe('a signature', () => {
  const path = (city: string) => join(agreements, `${agreementId}.${city}.jws`)
  const check = (text: Agreement, detached: string, city = 'jiangyin', known = members, now = NOW) => {
    try {
      checkSignature(text, city, detached, known, now)
      return 'taken'
    } catch (error) {
      if (error instanceof Refusal) return error.code
      throw error
    }
  }
  const mine = () => `${signAgreement(original, signerFor('jiangyin'))}\n`

  it('that is missing keeps the agreement resting, and is asked for from the party that owes it', () => {
    rmSync(path('huizhou'))
    const read = look()
    expect([read.faults, read.all]).toEqual([[], []])
    expect(read.idle).toMatchObject([{ id: agreementId, why: 'huizhou has not signed' }])
    expect(look('jiangyin', null).faults).toEqual([
      {
        file: `agreements/${agreementId}.huizhou.jws`,
        path: '',
        problem: 'huizhou has not signed',
        remedy: `have huizhou run \`xinqiao agreement sign ${agreementId}\` and send the file`,
      },
    ])
  })

  it('of another text, or of another party, proves nothing, and both parties are told of both', () => {
    writeFileSync(path('huizhou'), `${signAgreement({ ...original, signedOn: '2026-03-21' }, signerFor('huizhou'))}\n`)
    for (const city of CITIES) {
      const { all, faults } = look(city)
      const name = `agreements/${agreementId}.huizhou.jws`
      expect([all, faults.map(fault => [fault.file, fault.path])]).toEqual([[], [[name, '']]])
      expect(faults[0]?.problem).toContain('the signature does not prove this text: token.signature')
      expect(faults[0]?.remedy).toContain('have huizhou sign anew')
    }
    renameSync(path('jiangyin'), path('huizhou'))
    expect(look()).toMatchObject({ all: [], idle: [], faults: [{ file: `agreements/${agreementId}.huizhou.jws` }] })
  })

  it('is in its one form', () => {
    const good = mine()
    const [head, signature] = good.trim().split('..')
    expect(check(original, good)).toBe('taken')
    for (const other of [
      good.trim(),
      `${good}\n`,
      ` ${good}`,
      good.replace('\n', '\r\n'),
      good.replace('..', '.'),
      good.replace('..', '.e30.'),
      good.replace('..', '...'),
      `..${signature}\n`,
      `${head}..\n`,
      `x\n${good}`,
      '',
    ]) {
      expect(check(original, other)).toBe('form.compact')
    }
  })

  it('is by a key of the party, under its id, its certificate and its algorithm', () => {
    const [key] = members.find('jiangyin')?.keys.values() ?? []
    if (key === undefined) throw new Error('no key')
    const secret = createPrivateKey(readFileSync(join(folder, 'keys', 'jiangyin', 'signing.pem'), 'utf8'))
    const under = (over: Partial<Parameters<typeof signerOf>[0]>, by = secret) =>
      check(original, `${signAgreement(original, signerOf({ ...key, ...over }, by))}\n`)
    expect(under({})).toBe('taken')
    expect(under({ kid: 'A'.repeat(43) })).toBe('token.signature')
    expect(under({ thumbprint: 'A'.repeat(43) })).toBe('token.signature')
    expect(under({}, createPrivateKey(newKey('jiangyin', 'signing').key))).toBe('token.signature')
    const edwards = createPrivateKey(newKey('jiangyin', 'signing', 'Ed25519').key)
    expect(under({ alg: 'Ed25519' }, edwards)).toBe('token.signature')
    expect(check(original, mine(), 'huizhou')).toBe('token.signature')
    expect(check({ ...original, validTo: '2099-01-01' }, mine())).toBe('token.signature')
  })

  it('by a key that is nobody’s any more is judged as of noon of the day it was made, and by the lists of now', async () => {
    const root = await makeRoot({ notBefore: daysFromNow(-90) })
    appendFileSync(join(certs, 'root.pem'), `\n${root.certificate}`)
    writeFileSync(join(certs, 'crls', 'test.pem'), await makeCrl({ issuer: root }))
    const day = Temporal.Now.plainDateISO('Asia/Shanghai').subtract({ days: 30 })
    const hour = (clock: string) =>
      new Date(day.toZonedDateTime({ timeZone: 'Asia/Shanghai', plainTime: clock }).epochMilliseconds)
    const text = { ...original, signedOn: day.toString() }
    const signedFrom = async (notBefore: Date, notAfter: Date, revoke = false) => {
      const made = await makeMember({ city: 'jiangyin', issuer: root, notBefore, notAfter })
      writeFileSync(join(certs, 'old.pem'), made.certificate)
      writeFileSync(
        join(certs, 'crls', 'test.pem'),
        await makeCrl({ issuer: root, ...(revoke && { revoked: [made] }) }),
      )
      const key = await certifiedKey(readCertificates(made.certificate))
      if (key === undefined) throw new Error('no key')
      return check(
        text,
        `${signAgreement(text, signerOf(key, createPrivateKey(made.key)))}\n`,
        'jiangyin',
        await membersNow(),
      )
    }
    expect(await signedFrom(hour('12:00'), daysFromNow(-1))).toBe('taken')
    expect(await signedFrom(hour('12:01'), daysFromNow(-1))).toBe('token.certificate')
    expect(await signedFrom(daysFromNow(-60), hour('12:00'))).toBe('taken')
    expect(await signedFrom(daysFromNow(-60), hour('11:59'))).toBe('token.certificate')
    expect(await signedFrom(daysFromNow(-60), daysFromNow(-1), true)).toBe('token.certificate')
    // A key that still holds is judged as of now, though its certificate was made after the day of signing.
    expect(await signedFrom(daysFromNow(-1), daysFromNow(1))).toBe('taken')
  })
})
