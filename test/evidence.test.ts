import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Proof } from '#exchange/proof.ts'
import { type EntryLine, type Header, type HeldEvidence, type Line, writeLine } from '#ledger/bundle.ts'
import { cosign, readCheckpoint, signCheckpoint } from '#ledger/checkpoint.ts'
import { readEntry } from '#ledger/entry.ts'
import { witnessName } from '#ledger/log.ts'
import { createLedgerAt, openLedgerAt, openLogStoreAt, verifyLedgerAt } from '#ledger/open.ts'
import { letGoOfExpired } from '#ledger/retention.ts'
import { canonical, sha256 } from '#protocol/canonical.ts'
import { types } from '#protocol/message.ts'
import { evidenceCommand } from '../src/evidence-command.ts'
import { home } from '../src/federation.ts'
import { ledgerCommand } from '../src/ledger-command.ts'
import { signRoll } from '../src/office.ts'
import { folder, judged, taken } from './evidence.ts'
import { type Running, runFederation } from './federation.ts'
import { postgresEngine } from './ledger/engines.ts'
import { answered, company } from './ledger/sample.ts'
import { acquainted, met, watched } from './watched.ts'

const SUBJECT = '91320281250344877K'

type Options = Parameters<typeof watched>[0]

/** Cities of which Huizhou and Jiangyin asked each other, and were answered and refused. */
async function busy(options: Options = {}): Promise<Running> {
  const running = await watched(options)
  const question = { peer: 'jiangyin', subjects: [SUBJECT], purpose: 'tendering', matter: '惠招〔2026〕118号' }
  expect((await running.ask('huizhou', question)).body.peers[0]?.outcome).toBe('answered')
  expect((await running.ask('jiangyin', { ...question, peer: 'huizhou' })).status).toBe(200)
  expect((await running.query('huizhou', 'jiangyin', { purpose: 'party' })).status).toBe(400)
  expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
  await met(running)
  return running
}

const faults = ({ faults }: Proof) => faults.map(({ name, index }) => `${name} ${index ?? '-'}`)
const isEntry = (line: Line): line is EntryLine => line.line === 'entry'

let running: Running
let lines: Line[]
beforeAll(async () => {
  running = await busy()
  lines = (await taken(running, 'jiangyin')).lines
}, 120_000)
afterAll(() => running[Symbol.asyncDispose]())

describe('evidence of a city', () => {
  it('proves itself with nothing but the federation’s root, and says what it proves and what not', async () => {
    const proof = await judged(running, lines)
    expect(faults(proof)).toEqual([])
    expect(proof).toMatchObject({
      verified: true,
      of: { city: 'jiangyin', ledger: running.gateway('jiangyin').city.ledger.id },
      checkpoint: { cosigned: [{ city: 'huizhou' }, { city: 'jimo' }] },
      questions: 4,
      answers: 4,
      unsigned: 0,
      expired: 0,
      ranges: [[0, proof.entries - 1]],
    })
    const said = proof.proves.map(({ en }) => en).join('\n')
    expect(said).toMatch(/not rewritten after 20.+, as witnessed by Huizhou \(.+\), Jimo/)
    for (const { zh } of [...proof.proves, ...proof.limits]) expect(zh).toMatch(/\p{Script=Han}/u)
    expect(proof.limits.map(({ en }) => en).join()).toContain('that the cities’ own records were right')
  })

  it('is taken again with the same entries to the letter, and each taking is in the ledger', async () => {
    const again = (await taken(running, 'jiangyin')).lines.filter(isEntry)
    const count = lines.filter(isEntry).length
    expect(again.slice(0, count).map(({ text, link }) => text + link)).toEqual(
      lines.filter(isEntry).map(({ text, link }) => text + link),
    )
    expect(JSON.parse(again[count]?.text ?? '')).toMatchObject({
      ...{ kind: 'staff', staff: '王某', role: 'operator', action: 'exported', page: 'evidence', filter: 'all' },
    })
    // The later entries are in a checkpoint of their own, which nobody has cosigned: that is said.
    const { limits, verified } = await judged(running, (await taken(running, 'jiangyin')).lines)
    expect(verified).toBe(true)
    expect(limits.map(({ en }) => en).join()).toContain('no other city has cosigned it')
    await met(running)
  })

  it('is of the days, the peer and the subject that were chosen', async () => {
    const today = Temporal.Now.plainDateISO('Asia/Shanghai')
    const of = async (selection: Parameters<typeof taken>[2]) => (await taken(running, 'jiangyin', selection)).lines
    const kinds = (found: readonly Line[]) => found.filter(isEntry).map(({ text }) => JSON.parse(text).kind)
    const [from, to] = [today.toString(), today.toString()]
    const chosen = await of({ from, to, peer: 'huizhou', subject: SUBJECT })
    expect(new Set(kinds(chosen))).toEqual(new Set(['answered', 'asked', 'outcome', 'refused']))
    expect(faults(await judged(running, chosen))).toEqual([])
    const recorded = (await of({})).filter(isEntry).at(-1)
    expect(JSON.parse(recorded?.text ?? '')).toMatchObject({
      filter: `from=${from}&to=${to}&peer=huizhou&subject=${SUBJECT}`,
      subjects: [SUBJECT],
    })
    for (const nothing of [{ peer: 'jimo' }, { to: '2020-01-01' }, { from: today.add({ days: 1 }).toString() }]) {
      expect(await taken(running, 'jiangyin', nothing)).toEqual({ lines: [], told: undefined })
    }
    await met(running)
  })

  it('holds the certificates of every key that signed, also of those that gave way to others', async () => {
    await using running = await busy()
    const { folder: home, authority } = running.federation
    const { keys, certs } = running.federation.city('jiangyin').settings
    await running.stop('jiangyin')
    renameSync(join(certs, 'jiangyin-signing.pem'), join(certs, 'jiangyin-signing-former.pem'))
    const { certificate, key } = await authority.issue('jiangyin', 'signing')
    writeFileSync(join(home, 'certs', 'jiangyin-signing.pem'), certificate)
    writeFileSync(join(keys, 'signing.pem'), key)
    await running.start('jiangyin')
    await running.restart('huizhou')
    await acquainted(running, 'huizhou')
    await acquainted(running, 'jiangyin')
    expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
    await met(running)
    const { lines } = await taken(running, 'jiangyin')
    expect(lines.filter(({ line }) => line === 'certificate')).toHaveLength(3)
    const proof = await judged(running, lines)
    expect(faults(proof)).toEqual([])
    expect([proof.questions, proof.answers]).toEqual([5, 5])
  })

  it('says of entries whose texts have expired that the digests are left', async () => {
    const { settings } = running.federation.city('jiangyin')
    {
      await using ledger = await openLedgerAt(settings.ledger, 'jiangyin', { retentionDays: 0 })
      const { entry, evidence } = answered({ at: new Date(Date.now() - 1000).toISOString() })
      await ledger.append(entry, evidence)
      expect(await letGoOfExpired(ledger, { retentionDays: 1, now: Date.now, pauseMs: 0 })).toBe(1)
    }
    await met(running)
    const { lines: all, told } = await taken(running, 'jiangyin')
    expect(told).toMatchObject({ expired: 1, missing: 0 })
    const proof = await judged(running, all)
    expect([proof.verified, proof.expired]).toEqual([true, 1])
    expect(proof.limits.map(({ en }) => en).join()).toContain('the words of 1 of the 6 entries')
  })
})

/** The same file with one of its entries, or its header, changed. */
type Change = (line: EntryLine, all: readonly EntryLine[]) => EntryLine | undefined
const at = (kind: string, work: Change) => (all: readonly Line[]) => {
  const entries = all.filter(isEntry)
  const target = entries.find(({ text }) => JSON.parse(text).kind === kind)
  return all.flatMap(line => (line === target && target !== undefined ? (work(target, entries) ?? []) : [line]))
}
const head = (work: (header: Header) => object) => (all: readonly Line[]) =>
  all.map(line => (line.line === 'header' ? { ...line, ...work(line) } : line))
const withEvidence = (line: EntryLine, work: (held: Exclude<HeldEvidence, string>) => object): EntryLine =>
  typeof line.evidence === 'string' ? line : { ...line, evidence: { ...line.evidence, ...work(line.evidence) } }
const forged = (token = '') => {
  const [header, payload, signature = ''] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  bytes[5] = (bytes[5] ?? 0) ^ 1
  return `${header}.${payload}.${bytes.toString('base64url')}`
}
/** Each text is let go of, and not said to be. */
const withoutTexts = (line: EntryLine): EntryLine =>
  typeof line.evidence === 'string' ? line : { ...line, evidence: {} }
const claimsOf = (token = ''): { answer: object; subjects: string[] } =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
const bodyOf = (token = '') => canonical(claimsOf(token).answer)
const other = (line: EntryLine, all: readonly EntryLine[]) =>
  all.find(each => each.index > line.index && typeof each.evidence === 'object' && each.evidence.question !== undefined)
const key = generateKeyPairSync('ed25519').privateKey

/** What is done to a file, what it is called (`#` stands for the entry), and what the second verifier says of it. */
const tampered: [string, (all: readonly Line[]) => readonly Line[], string[], RegExp?][] = [
  [
    'an entry that says something else',
    at('answered', line => ({ ...line, text: line.text.replace('tendering', 'subsidies') })),
    ['inclusion #', 'link #', 'binding #'],
    /#\d: inclusion/,
  ],
  [
    'an entry of another city',
    at('refused', line => ({ ...line, text: line.text.replace('"city":"jiangyin"', '"city":"huizhou"') })),
    ['entry #'],
  ],
  ['an entry less', at('refused', () => undefined), ['truncated -'], /^truncated/],
  ['an end less', all => all.slice(0, -1), ['truncated -'], /^truncated/m],
  [
    'an entry twice',
    all => all.flatMap(line => (isEntry(line) && line.index === 3 ? [line, line] : [line])),
    ['order 3', 'truncated -'],
  ],
  ['a header twice', all => [...all.slice(0, 1), ...all], ['malformed -']],
  ['no header', all => all.slice(1), ['malformed -']],
  [
    'a place that is another’s',
    at('answered', line => ({ ...line, proof: line.proof.toReversed() })),
    ['inclusion #'],
    /#\d: inclusion/,
  ],
  [
    'a link that is another',
    at('answered', line => ({ ...line, link: line.previous ?? '' })),
    ['link #', 'receipt #', 'link +'],
  ],
  [
    'the question of another entry',
    at('answered', (line, all) => {
      const from = other(line, all)
      return withEvidence(line, () => (typeof from?.evidence === 'object' ? { question: from.evidence.question } : {}))
    }),
    ['evidence #'],
    /#\d: evidence/,
  ],
  [
    'a question with a signature that is none',
    at('answered', line => withEvidence(line, ({ question }) => ({ question: forged(question) }))),
    ['signature #'],
    /#\d: signature/,
  ],
  [
    'an answer with a signature that is none',
    at('outcome', line => withEvidence(line, ({ answer }) => ({ answer: forged(answer) }))),
    ['signature #'],
    /#\d: signature/,
  ],
  [
    'texts that expired before their day',
    at('answered', line => ({ ...line, evidence: 'expired' })),
    ['missing #'],
    /#\d: missing/,
  ],
  ['texts that never were', at('answered', line => ({ ...line, evidence: 'none' })), ['missing #', 'missing #']],
  [
    'a body where nothing was answered',
    at('refused', line => withEvidence(line, () => ({ answer: '{}' }))),
    ['evidence #'],
    /#\d: evidence/,
  ],
  ['an answer less', at('outcome', line => ({ ...line, evidence: {} })), ['missing #'], /#\d: missing: the answer/],
  [
    'a question less',
    at('answered', line => withEvidence(line, () => ({ question: undefined }))),
    ['missing #'],
    /#\d: missing: the question/,
  ],
  [
    'no texts at all',
    all => all.map(line => (isEntry(line) ? withoutTexts(line) : line)),
    ['missing #'],
    /#\d: missing/,
  ],
  [
    'texts of an entry that never had any',
    at('configured', line => ({ ...line, evidence: {} })),
    ['missing #'],
    /#\d: evidence/,
  ],
  [
    'the answer of a peer, which nobody signed',
    at('outcome', line => withEvidence(line, ({ answer }) => ({ answer: bodyOf(answer) }))),
    ['signature #'],
    /#\d: signature: an answer that nobody signed/,
  ],
  [
    'a certificate less',
    all => all.filter(line => line.line !== 'certificate'),
    ['certificate 2', 'certificate 2'],
    /#\d: certificate/,
  ],
  [
    'a checkpoint under another key',
    head(({ checkpoint }) => {
      const said = readCheckpoint(checkpoint.slice(0, checkpoint.indexOf('\n\n') + 1))
      return { checkpoint: said === undefined ? '' : signCheckpoint(said, key) }
    }),
    ['checkpoint -'],
    /^checkpoint/m,
  ],
  [
    'a cosignature that another made',
    head(({ checkpoint }) => {
      const said = readCheckpoint(checkpoint.slice(0, checkpoint.indexOf('\n\n') + 1))
      const [good] = checkpoint.split('\n').filter(line => line.includes('xinqiao/jimo/witness'))
      const bad = said && cosign(said, witnessName('jimo'), key, Math.floor(Date.now() / 1000))
      // With the id of the right key, as a forger would write it.
      const id = Buffer.from(good?.split(' ')[2] ?? '', 'base64').subarray(0, 4)
      const rest = Buffer.from(bad?.trimEnd().split(' ')[2] ?? '', 'base64').subarray(4)
      return {
        checkpoint: checkpoint.replace(
          good ?? '',
          `— ${witnessName('jimo')} ${Buffer.concat([id, rest]).toString('base64')}`,
        ),
      }
    }),
    ['cosignature -'],
    /cosignature/,
  ],
  ['a cosignature by nobody known', head(({ statements: { jimo: _, ...statements } }) => ({ statements })), []],
  ['nothing of whose log it is', head(() => ({ statements: {} })), ['log -'], /^log/m],
  [
    'the word of another city for its own',
    head(({ statements }) => ({ statements: { ...statements, jiangyin: statements['huizhou'] } })),
    ['log -'],
    /^log/m,
  ],
  [
    'a roll less one member',
    head(({ roll }) => ({ roll: { ...roll, statements: roll.statements.slice(1) } })),
    ['roll -', 'log -'],
  ],
  [
    'no revocation lists',
    head(() => ({ lists: [] })),
    ['roll -', 'log -', 'certificate 2', 'certificate 2'],
    /#2: certificate: revoked, or on no fresh list/,
  ],
  ['a list that is none', head(({ lists }) => ({ lists: [...lists, 'AAAA'] })), ['malformed -']],
  [
    'another ledger’s name',
    head(() => ({ ledger: '00000000-0000-4000-8000-000000000000' })),
    ['checkpoint -'],
    /^checkpoint/m,
  ],
  [
    'a day that is still to come',
    head(() => ({ made: new Date(Date.now() + 86_400_000).toISOString() })),
    ['future -'],
    /^future/,
  ],
  [
    'a day before it was cosigned',
    head(() => ({ made: new Date(Date.now() - 600_000).toISOString() })),
    ['roll -', 'log -', 'time 0'],
    /#\d: time/,
  ],
]

const python = spawnSync('python3', ['--version']).status === 0 && spawnSync('openssl', ['version']).status === 0

/** How the second verifier ends, and what it says of each of these files: one walk, as it asks openssl nothing twice. */
function second(running: Running, ...files: (readonly Line[])[]): { status: number | null; said: string[] } {
  const place = mkdtempSync(join(tmpdir(), 'xinqiao-second-'))
  try {
    const paths = files.map((_, i) => join(place, `${i}.evidence`))
    for (const [i, all] of files.entries()) writeFileSync(paths[i] ?? '', all.map(writeLine).join(''))
    const root = join(running.federation.folder, 'certs', 'root.pem')
    const { status, stdout, stderr } = spawnSync('python3', [join(home, 'docs', 'verify_evidence.py'), ...paths, root])
    const said = `${stdout}${stderr}`.split(new RegExp(`^${place}/[0-9]+[.]evidence: `, 'm')).slice(1)
    return { status, said: said.map(each => each.replaceAll(/^ {2}/gm, '')) }
  } finally {
    rmSync(place, { recursive: true })
  }
}

describe('evidence that was tampered with', () => {
  it.each(tampered)('%s is found and named', async (_, work, names) => {
    const proof = await judged(running, work(lines))
    const index = proof.faults.find(each => each.index !== undefined)?.index ?? -1
    const wanted = names.map(name => name.replace('#', String(index)).replace('+', String(index + 1)))
    expect(faults(proof).slice(0, Math.max(1, wanted.length))).toEqual(wanted)
    expect(proof.verified).toBe(names.length === 0)
  })

  it('without its last newline, or with half a line behind it, does not prove itself', async () => {
    const text = lines.map(writeLine).join('')
    for (const bad of [text.slice(0, -1), text.slice(0, -9), `${text}{`]) {
      expect((await judged(running, bad)).verified, bad.slice(-12)).toBe(false)
    }
  })

  it('in any one character below its header does not prove itself', async () => {
    const written = lines.map(writeLine)
    const place = fc.integer({ min: 1, max: written.length - 1 }).chain(line => {
      const { length } = written[line] ?? ''
      return fc.record({
        line: fc.constant(line),
        at: fc.nat(length - 1),
        sign: fc.constantFrom('A', '0', '"', ' ', '\n', ''),
      })
    })
    await fc.assert(
      fc.asyncProperty(place, async ({ line, at, sign }) => {
        const text = written[line] ?? ''
        fc.pre(text[at] !== sign)
        const bad = written.with(line, text.slice(0, at) + sign + text.slice(at + 1)).join('')
        expect((await judged(running, bad)).verified).toBe(false)
      }),
      { numRuns: 60 },
    )
  }, 60_000)

  it('whatever was done to it, is judged and breaks nothing', async () => {
    const text = lines.map(writeLine).join('')
    const cut = fc.record({ from: fc.nat(text.length), length: fc.nat(40), by: fc.string({ maxLength: 8 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(cut, { minLength: 1, maxLength: 3 }), async cuts => {
        let bad = text
        for (const { from, length, by } of cuts) bad = bad.slice(0, from) + by + bad.slice(from + length)
        expect((await judged(running, bad)).faultCount).toBeGreaterThanOrEqual(0)
      }),
      { numRuns: 60 },
    )
  }, 60_000)

  it('of another federation, or under another root, is believed in nothing', async () => {
    await using stranger = await runFederation()
    const proof = await judged(stranger, lines)
    expect(new Set(proof.faults.map(({ name }) => name))).toEqual(new Set(['roll', 'log', 'certificate']))
    expect(proof.proves).toEqual([])
  })

  it('in which a key has been revoked since, believes that key nothing more', async () => {
    const { folder: home, authority } = running.federation
    const { pem } = await authority.revoke([readFileSync(join(home, 'certs', 'huizhou-signing.pem'), 'utf8')])
    const [list = ''] = pem.split('-----').flatMap((part, i) => (i === 2 ? [part.replaceAll(/\s/g, '')] : []))
    const proof = await judged(running, head(({ lists }) => ({ lists: [...lists, list] }))(lines))
    expect(new Set(proof.faults.map(({ name }) => name))).toEqual(new Set(['certificate']))
    expect(proof.faults.every(({ detail }) => detail.includes('revocation.revoked'))).toBe(true)
    expect(proof.checkpoint?.cosigned.map(({ city }) => city)).toEqual(['jimo'])
  })

  it('in bytes that are no text is not read', async () => {
    const bytes = Buffer.from(lines.map(writeLine).join(''))
    bytes[bytes.length - 5] = 0xff
    expect((await judged(running, bytes)).faults[0]).toMatchObject({
      name: 'malformed',
      detail: expect.stringContaining('UTF-8'),
    })
  })

  it('in another form than the one is not read', async () => {
    const text = lines.map(writeLine).join('')
    for (const bad of [
      text.replace('{', '{ '),
      text.replace('"line":"header"', '"extra":1,"line":"header"'),
      text.replace('\n', '\r\n'),
      text.slice(0, -10),
      `${text}\n`,
      '',
      '{}',
    ]) {
      expect((await judged(running, bad)).faults[0]?.name).toMatch(/malformed|truncated/)
    }
  })
})

/** What both verifiers find wrong: the names of the first, each once with its entry, and the lines of the second where there is a Python. */
async function both(running: Running, all: readonly Line[]) {
  const first = [...new Set(faults(await judged(running, all)))]
  return { first, second: python ? (second(running, all).said[0] ?? '').split('\n').slice(1) : undefined }
}

it('counts our own answers that were never signed, and proves nothing by them', async () => {
  const bare = lines
    .filter(line => !isEntry(line) || readEntry(line.text).kind === 'answered')
    .map(line => (isEntry(line) ? withEvidence(line, ({ answer }) => ({ answer: bodyOf(answer) })) : line))
  const entries = bare.filter(isEntry).length
  const all = bare.map(line => (line.line === 'end' ? { ...line, entries } : line))
  const proof = await judged(running, all)
  expect(proof).toMatchObject({ verified: true, questions: entries, answers: 0, unsigned: entries })
  const proves = proof.proves.map(({ en }) => en).join()
  expect(proves).toContain(`${entries} answers were never signed`)
  expect(proves).not.toContain('answer is to its question')
  expect(proof.limits.map(({ en }) => en).join()).toContain(`that ${entries} answers were signed`)
  if (!python) return
  const { status, said } = second(running, all)
  expect([status, said[0]]).toEqual([0, expect.stringContaining(`${entries} answers were never signed`)])
  expect(said[0]).not.toContain('is to its question')
})

describe('a file as of a time that its lists and its roll do not reach', () => {
  const derOf = (pem: string) => pem.replaceAll(/-----.*-----|\s/g, '')
  /** With one more list of the issuing authority, that is good for so many days. */
  const withList = async (days: number) => {
    const { pem } = await running.federation.authority.revoke([], days)
    return head(({ lists }) => ({ lists: [...lists, derOf(pem)] }))
  }

  it('is not believed with revocation lists that are stale', async () => {
    const issuing = readFileSync(join(running.federation.folder, 'certs', 'crls', 'issuing.pem'), 'utf8')
    const former = derOf(issuing)
    const fresh = await withList(1)
    expect((await both(running, fresh(lines))).first).toEqual([])
    const stale = head(({ lists }) => ({ lists: lists.filter(each => each !== former) }))((await withList(-0.1))(lines))
    const { first, second } = await both(running, stale)
    expect(first).toEqual(expect.arrayContaining(['roll -', 'log -']))
    if (second !== undefined) expect(second).toContain('roll: certificate: revoked, or on no fresh list')
  })

  it('is not believed with a roll that has run out', async () => {
    const config = join(folder(), 'config')
    const { office } = running.federation
    cpSync(office.config, config, { recursive: true })
    const { bundle } = await signRoll({ ...office, config }, 0.25, Date.now() - 8 * 3_600_000)
    const { first, second } = await both(
      running,
      head(() => ({ roll: { roll: bundle.roll, statements: [...bundle.statements] } }))(lines),
    )
    expect(first.slice(0, 2)).toEqual(['roll -', 'log -'])
    if (second !== undefined) expect(second[0]).toBe('roll: roll: it was not in force when the file was made')
  })
})

/** What a city entered of an exchange, with the texts it holds. */
const entered = (lines: readonly Line[], kind: string) => {
  const line = lines.filter(isEntry).find(({ text }) => readEntry(text).kind === kind)
  const evidence = line?.evidence
  if (line === undefined || evidence === undefined || typeof evidence === 'string') throw new Error(`no ${kind}`)
  // That a ledger fills in itself.
  return { entry: { ...readEntry(line.text), heldUntil: undefined }, evidence }
}

describe('a ledger that lies', () => {
  it('is found out by the signed texts, and an answer of a peer that nobody signed is none', async () => {
    await using running = await busy({ cities: ['jiangyin', 'huizhou'] })
    const { lines } = await taken(running, 'jiangyin')
    const { ledger } = running.gateway('jiangyin').transparency
    const { entry, evidence } = entered(lines, 'asked')
    if (entry.kind !== 'asked') throw new Error('not asked')
    const lies = [
      { ...entry, subjects: [company(7)] },
      { ...entry, subjects: [...entry.subjects, company(7)] },
      { ...entry, matter: '惠招〔2026〕119号' },
      { ...entry, matter: entry.matter.replace('2026', '***') },
      { ...entry, matter: entry.matter.replace('2026', '***7') },
      { ...entry, purpose: 'subsidies' },
      { ...entry, want: [{ family: 'elsewhere' }] },
    ]
    const first = await ledger.count()
    for (const lie of lies) await ledger.append(lie, evidence)
    const outcome = entered(lines, 'outcome')
    await ledger.append(outcome.entry, { answer: bodyOf(outcome.evidence.answer) })
    await met(running)
    const found = await both(running, (await taken(running, 'jiangyin')).lines)
    const wanted = [...lies.map((_, i) => `binding ${first + i}`), `signature ${first + lies.length}`]
    expect(found.first).toEqual(wanted)
    if (found.second !== undefined)
      expect(found.second.filter(each => each !== '').map(each => each.replace(/^#(\d+): (\w+): .*/, '$2 $1'))).toEqual(
        wanted,
      )
    const { faults } = await verifyLedgerAt(running.federation.city('jiangyin').settings.ledger)
    expect(faults).toMatchObject([{ name: 'evidence-swapped', index: first + lies.length }])
  })
})

describe('a matter of an older entry', () => {
  it('may hide more of its question than today, or less, and says nothing else', async () => {
    await using running = await busy({ cities: ['jiangyin', 'huizhou'] })
    const { entry, evidence } = entered((await taken(running, 'jiangyin')).lines, 'asked')
    if (entry.kind !== 'asked') throw new Error('not asked')
    const { ledger } = running.gateway('jiangyin').transparency
    const { keys } = await running.identity('jiangyin')
    const matter = '惠招〔2026〕118号，联系人 13812345678'
    const question = keys.signer(types.query, JSON.stringify({ ...claimsOf(evidence.question), matter })).token
    const asked = { ...entry, questionHash: sha256(question.slice(0, question.lastIndexOf('.'))) }
    const first = await ledger.count()
    for (const kept of [matter, '惠招〔2026〕118号，联系人 ***********', '惠招〔****〕118号，联系人 13*********'])
      await ledger.append({ ...asked, matter: kept }, { question })
    for (const other of ['惠招〔****〕119号，联系人 ***********', '惠招〔2026〕118号，联系人 **********'])
      await ledger.append({ ...asked, matter: other }, { question })
    await met(running)
    const found = await both(running, (await taken(running, 'jiangyin')).lines)
    expect(found.first).toEqual([`binding ${first + 3}`, `binding ${first + 4}`])
    if (found.second !== undefined) expect(found.second.filter(each => each.includes(': binding: '))).toHaveLength(2)
  })
})

describe.skipIf(!python)('a second verifier, in Python with openssl', () => {
  const cases = tampered.flatMap(([name, work, , said]) => (said === undefined ? [] : [{ name, work, said }]))
  let found: ReturnType<typeof second>
  beforeAll(() => {
    found = second(running, lines, ...cases.map(({ work }) => work(lines)))
  }, 120_000)

  it('comes to the same as the first', () => {
    expect(found.said[0]).toMatch(
      /^verified\n\d+ entries of xinqiao\/jiangyin\/.* cosigned by huizhou, jimo\n4 questions and 4 answers [\s\S]*\neach answer is to its question\n0 answers were never signed/,
    )
    expect(found.said).toHaveLength(cases.length + 1)
    expect(found.status).toBe(1)
    expect(second(running, lines).status).toBe(0)
  })

  it.each(cases.map(({ name, said }, i) => [name, said, i + 1] as const))('finds %s', (_, said, i) => {
    expect(found.said[i]).toMatch(/^NOT verified, \d+ faults\n/)
    expect(found.said[i]?.replace(/.*\n/, '')).toMatch(said)
  })
})

describe('the command', () => {
  let printed: string[] = []
  beforeEach(() => {
    printed = []
    vi.spyOn(console, 'log').mockImplementation(line => void printed.push(String(line)))
    vi.spyOn(process.stderr, 'write').mockImplementation(() => true)
  })
  afterEach(() => vi.restoreAllMocks())
  const run = (...words: string[]) => evidenceCommand.run(words)
  const settings = (city: string) => {
    const env = join(folder(), 'xinqiao.env')
    const { environment } = running.federation.city(city)
    writeFileSync(
      env,
      Object.entries(environment)
        .map(pair => pair.join('='))
        .join('\n'),
    )
    return env
  }

  it('takes evidence out while the gateway runs, into a file for its owner alone, and verifies it anywhere', async () => {
    const file = join(folder(), 'case.evidence')
    const root = join(running.federation.folder, 'certs', 'root.pem')
    const words = [
      'export',
      '--out',
      file,
      '--peer',
      'huizhou',
      '--wait',
      '0',
      '--by',
      '王某',
      '--env',
      settings('jiangyin'),
    ]
    expect(await run(...words)).toBe(0)
    expect(printed.join()).toMatch(/条 entries，检查点 checkpoint \d+/)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(await run('verify', file, '--root', root)).toBe(0)
    expect(printed.at(-1)).toMatch(/核验通过 verified[\s\S]*证明 It proves:[\s\S]*不证明 It does not prove:/)
    await expect(run(...words)).rejects.toThrow('it is there already')
    writeFileSync(file, readFileSync(file, 'utf8').replace('tendering', 'subsidies'))
    expect(await run('verify', file, '--root', root, '--json')).toBe(1)
    expect(JSON.parse(printed.at(-1) ?? '')).toMatchObject({ verified: false })
    expect(await run('verify', file, '--root', root)).toBe(1)
    expect(printed.at(-1)).toMatch(/NOT verified[\s\S]*inclusion #\d+: 条目不在检查点之中/)
  })

  it('keeps the number of a person out of the ledger, where one is given for a name', async () => {
    const env = settings('jiangyin')
    const number = '110101199003077758'
    const words = ['--out', join(folder(), 'case.evidence'), '--peer', 'huizhou', '--wait', '0', '--env', env]
    expect(await run('export', ...words, '--by', `王某 ${number}`)).toBe(0)
    const { ledger } = running.gateway('jiangyin').transparency
    const [last] = await ledger.entries({ from: (await ledger.count()) - 1, limit: 1 })
    expect(last?.entry).toMatchObject({ action: 'exported', staff: `王某 ${'*'.repeat(18)}` })

    await using store = await openLogStoreAt(running.federation.city('jiangyin').settings.ledger)
    const city = 'elsewhere'
    await store.contradict({ city, name: 'forked', held: 'h', found: 'f', detail: 'd', at: new Date().toISOString() })
    expect(await ledgerCommand.run(['acknowledge', city, '--by', number, '--env', env])).toBe(0)
    expect(await store.contradictions(city)).toMatchObject([{ acknowledged: { by: '*'.repeat(18) } }])
    await met(running)
  })

  it('takes what a checkpoint covers, and says what is left out', async () => {
    const { settings: place } = running.federation.city('huizhou')
    await running.stop('huizhou')
    onTestFinished(() => running.start('huizhou'))
    const file = join(folder(), 'case.evidence')
    const words = ['export', '--out', file, '--wait', '0', '--env', settings('huizhou')]
    await expect(run(...words, '--from', '2026-01-01')).resolves.toBe(0)
    expect(printed.join()).not.toContain('left out')
    rmSync(file)
    // Nobody signs a checkpoint over the entry of the first taking.
    expect(await run(...words)).toBe(0)
    expect(printed.join()).toContain('the last 1 are left out')
    expect(await run('verify', file, '--root', join(place.certs, 'root.pem'))).toBe(0)
  })

  it('waits for the cosignatures that the gateways are about to get', async () => {
    const { ledger } = running.gateway('jiangyin').transparency
    await ledger.append({
      kind: 'configured',
      at: new Date().toISOString(),
      city: 'jiangyin',
      digests: {},
      changed: [],
    })
    const file = join(folder(), 'case.evidence')
    const taking = run('export', '--out', file, '--wait', '20', '--env', settings('jiangyin'))
    await met(running)
    expect(await taking).toBe(0)
    expect(printed.join()).toContain('副署 cosignatures 2')
  })

  it.each([
    ['no action', []],
    ['no file', ['verify', '--root', 'x']],
    ['no root', ['verify', 'x']],
    ['nowhere to write', ['export']],
    ['a day that is none', ['export', '--out', 'x', '--from', '2026-02-30']],
    ['an end before its beginning', ['export', '--out', 'x', '--from', '2026-02-02', '--to', '2026-02-01']],
    ['a subject that is none', ['export', '--out', 'x', '--subject', '12']],
    ['an unknown option', ['export', '--out', 'x', '--force']],
  ])('needs the words of a call: %s', async (_, words) => {
    await expect(run(...words)).rejects.toThrow(/evidence|missing|day|before|--subject|Unknown/)
  })

  it('says what can be mended', async () => {
    const env = settings('jiangyin')
    const nowhere = join(folder(), 'nowhere')
    await expect(run('verify', nowhere, '--root', nowhere)).rejects.toThrow('no such file')
    await expect(run('export', '--out', nowhere, '--peer', 'jimo', '--env', env)).rejects.toThrow(
      '没有符合条件的条目\nnothing fits',
    )
  })
})

describe('evidence out of PostgreSQL', () => {
  const postgres = postgresEngine()

  it('is the same in every respect', async () => {
    const place = await postgres.room()
    await createLedgerAt(place, 'jiangyin')
    const moved: Options = {
      settle: settings => (settings.city === 'jiangyin' ? { ...settings, ledger: place } : settings),
    }
    await using running = await busy({ ...moved, cities: ['jiangyin', 'huizhou'] })
    const { lines } = await taken(running, 'jiangyin', {}, place)
    const proof = await judged(running, lines)
    expect(faults(proof)).toEqual([])
    expect(proof).toMatchObject({ questions: 4, answers: 4, checkpoint: { cosigned: [{ city: 'huizhou' }] } })
  }, 120_000)
})
