/** An agreement is what every party signed, to the letter; one byte changed and it is none. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { canonical, digest } from '#protocol/canonical.ts'
import type { Fault } from '#protocol/fault.ts'
import { readJson } from '#protocol/json.ts'
import { CityId, Code } from '#protocol/message.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import { subjectKinds } from '#protocol/subject.ts'
import { shareLevels } from '#schema/record.ts'
import type { Vocabulary } from '#schema/vocabulary.ts'
import { type CertifiedKey, proveFormerKey, proveKey } from '#trust/anchors.ts'
import { encode, proves, readJws } from '#trust/jws.ts'
import type { Signer } from '#trust/keys.ts'
import { jsonFiles, type Members } from '#trust/members.ts'
import { bears, entityOf } from '#trust/statement.ts'
import { RecognitionTable, recognitionFaults } from './recognition.ts'

/** The `typ` of a party's detached signature (RFC 7515 appendix F). */
const SIGNATURE_TYPE = 'credit-agreement+jwt'

const Family = z.strictObject({
  fields: z.array(Code).min(1),
  /** Which lists (family `list` only). */
  lists: z.array(Code).min(1).optional(),
  /** Which rating schemes (family `rating` only). */
  schemes: z.array(Code).min(1).optional(),
})

/** What some parties give to others, for which purposes, about which kinds of subject. What no grant names is not given. */
const Grant = z.strictObject({
  clause: z.string().min(1),
  from: z.array(CityId).min(1),
  to: z.array(CityId).min(1),
  purposes: z.array(Code).min(1),
  kinds: z.array(z.enum(subjectKinds)).min(1),
  shareLevel: z.enum(shareLevels),
  families: z.record(Code, Family),
})
export type Grant = z.infer<typeof Grant>

export const Agreement = z.strictObject({
  id: Code,
  title: z.strictObject({ zh: z.string().min(1), en: z.string().min(1) }),
  parties: z.array(CityId).min(2),
  /** Days in Asia/Shanghai, both included. */
  signedOn: z.iso.date(),
  validFrom: z.iso.date(),
  validTo: z.iso.date(),
  /** For each asking party. */
  quota: z.strictObject({ questionsPerMinute: z.int().min(1), subjectsPerDay: z.int().min(1) }),
  /** Messages travel sealed. Absent, never false: one meaning, one text, one digest. */
  confidential: z.literal(true).optional(),
  grants: z.array(Grant).min(1),
  /** 互认: what is recognised as what. Absent, never empty; what no table names is information. */
  recognition: z.array(RecognitionTable).min(1).optional(),
})
export type Agreement = z.infer<typeof Agreement>

/** An agreement that every party's signature proves. */
export type Signed = {
  readonly text: Agreement
  readonly digest: string
  /** Epoch milliseconds of the first instant in force and of the first instant after. */
  readonly begins: number
  readonly ends: number
}

/** Whether messages under the agreement travel sealed (docs/protocol.md section 5a). */
export function isConfidential({ text }: Signed): boolean {
  return text.confidential === true
}

export type Agreements = {
  readonly all: readonly Signed[]
  find(id: string): Signed | undefined
  /** Those whose text is sound and which nobody may rely on now, and why: to be told, and no reason not to start. */
  readonly idle: readonly { readonly id: string; readonly why: string; readonly parties: readonly string[] }[]
}

/** The form in which an agreement's file is kept; any other is refused, so that no byte of it can change unseen. */
export function formatted(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

/**
 * Reads `<config>/agreements/<id>.json` with `<id>.<party>.jws` beside it, those in which `us` is a party. Pushes to
 * `faults` everything that keeps an agreement from being believed. One that has ended, or not begun, is no fault; nor is one
 * that not all have signed yet, or that lost a party's certificate, or all its other parties, to revocation and expulsion: it rests
 * until it is signed, and the others go on. Without members none is believed, and what can be said of the texts is said.
 */
export function readAgreements(
  config: string,
  us: string,
  members: Members | undefined,
  vocabulary: Vocabulary,
  now: number,
  faults: Fault[],
): Agreements {
  const folder = join(config, 'agreements')
  const all: Signed[] = []
  const idle: { id: string; why: string; parties: readonly string[] }[] = []
  for (const name of jsonFiles(folder)) {
    const found: Fault[] = []
    const stem = name.replace(/\.json$/, '')
    const text = readAgreement(readFileSync(join(folder, name), 'utf8'), `agreements/${name}`, found)
    if (text !== undefined && !text.parties.includes(us) && existsSync(join(folder, `${stem}.${us}.jws`))) {
      const remedy = 'take the copy that was signed, or remove our signature'
      found.push(fault(name, 'parties', `we signed this agreement, and it does not name ${us}`, remedy))
    }
    if (text?.parties.includes(us)) {
      if (text.id !== stem) found.push(fault(name, 'id', 'differs from the file name', 'name the file after the id'))
      found.push(...faultsOf(text, `agreements/${name}`, vocabulary))
      const resting: string[] = []
      for (const party of text.parties) {
        const { faults: wrong = [], rests } = signatureState(folder, stem, text, party, members, now)
        found.push(...wrong)
        if (rests !== undefined) resting.push(rests)
      }
      const partners = text.parties.filter(party => party !== us && members?.find(party) !== undefined)
      if (partners.length === 0) resting.push('no other party is on the roll')
      if (found.length === 0 && members !== undefined) {
        if (resting.length === 0) all.push(signed(text))
        else idle.push({ id: text.id, why: resting.join('; '), parties: text.parties })
      }
    }
    faults.push(...found)
  }
  const byId = new Map(all.map(agreement => [agreement.text.id, agreement]))
  return { all, find: id => byId.get(id), idle }
}

function fault(name: string, path: string, problem: string, remedy: string): Fault {
  return { file: `agreements/${name}`, path, problem, remedy }
}

/** Reads the text of an agreement in its kept form, without judging what it says or who signed it. */
export function readAgreement(text: string, file: string, faults: Fault[]): Agreement | undefined {
  let value: unknown
  try {
    value = readJson(text)
  } catch (error) {
    faults.push({ file, path: '', problem: `not a JSON object without doubles: ${error}`, remedy: 'correct the text' })
    return undefined
  }
  const parsed = Agreement.safeParse(value)
  if (!parsed.success) {
    for (const { path, message } of parsed.error.issues) {
      faults.push({ file, path: path.join('.'), problem: message, remedy: 'docs/protocol.md, section Agreements' })
    }
    return undefined
  }
  if (formatted(value) !== text) {
    faults.push({
      file,
      path: '',
      problem: 'the file is not in its kept form',
      remedy: 'take the copy that was signed, or sign anew: `xinqiao agreement sign` writes that form',
    })
  }
  return parsed.data
}

function faultsOf(text: Agreement, file: string, vocabulary: Vocabulary): Fault[] {
  const faults: Fault[] = []
  const unknown = (path: string, what: string, value: string) =>
    faults.push({
      file,
      path,
      problem: `${what} ${value} is not known`,
      remedy: `correct it, or add it to federation-config first`,
    })
  if (new Set(text.parties).size !== text.parties.length) {
    faults.push({ file, path: 'parties', problem: 'a party is named twice', remedy: 'name each once' })
  }
  if (text.validTo < text.validFrom) {
    faults.push({ file, path: 'validTo', problem: 'ends before it begins', remedy: 'correct the dates' })
  }
  for (const [i, grant] of text.grants.entries()) {
    const at = `grants[${i}]`
    for (const side of ['from', 'to'] as const) {
      for (const party of grant[side]) if (!text.parties.includes(party)) unknown(`${at}.${side}`, 'party', party)
    }
    for (const purpose of grant.purposes)
      if (!vocabulary.purposes.has(purpose)) unknown(`${at}.purposes`, 'purpose', purpose)
    for (const [code, permitted] of Object.entries(grant.families)) {
      const family = vocabulary.families.get(code)
      if (family === undefined) {
        unknown(`${at}.families`, 'family', code)
        continue
      }
      for (const field of permitted.fields)
        if (!family.fields.has(field)) unknown(`${at}.families.${code}.fields`, 'field', field)
      for (const field of [family.listField, family.schemeField]) {
        if (field === undefined || permitted.fields.includes(field)) continue
        faults.push({
          file,
          path: `${at}.families.${code}.fields`,
          problem: `${field} is not granted`,
          remedy: `Add ${field}: without it a record does not say what it is of`,
        })
      }
      const narrowed = [
        ['lists', family.listField],
        ['schemes', family.schemeField],
      ] as const
      for (const [by, field] of narrowed) {
        if ((field === undefined) === (permitted[by] === undefined)) continue
        const path = `${at}.families.${code}.${by}`
        if (field === undefined)
          faults.push({
            file,
            path,
            problem: `family ${code} has no ${by}`,
            remedy: 'remove it: it would narrow nothing',
          })
        else
          faults.push({
            file,
            path,
            problem: 'is missing',
            remedy: `name the ${by} that are given, or remove the family`,
          })
      }
      for (const list of permitted.lists ?? [])
        if (!vocabulary.lists.has(list)) unknown(`${at}.families.${code}.lists`, 'list', list)
      for (const scheme of permitted.schemes ?? []) {
        if (!vocabulary.schemes.has(scheme)) unknown(`${at}.families.${code}.schemes`, 'rating scheme', scheme)
      }
    }
  }
  faults.push(...recognitionFaults(text.recognition ?? [], text.parties, vocabulary, file))
  return faults
}

/** How a party's signature stands: its faults, or why the agreement rests; neither where it proves the text. */
function signatureState(
  folder: string,
  stem: string,
  text: Agreement,
  party: string,
  members: Members | undefined,
  now: number,
): { readonly faults?: readonly Fault[]; readonly rests?: string } {
  const name = `${stem}.${party}.jws`
  const path = join(folder, name)
  if (!existsSync(path)) {
    const why = `${party} has not signed`
    // An agreement on its way round the parties is no reason for those in force to rest as well.
    if (members !== undefined) return { rests: why }
    return { faults: [fault(name, '', why, `have ${party} run \`xinqiao agreement sign ${stem}\` and send the file`)] }
  }
  // That there are no members is a fault of its own, and none of every signature. Whoever is not on the roll neither asks nor
  // is asked: what it signed binds nobody else, and whether its key still holds is nobody's matter.
  if (members?.find(party) === undefined) return {}
  try {
    checkSignature(text, party, readFileSync(path, 'utf8'), members, now)
    return {}
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    // The text is as it was; the key that signed it has been revoked, or proves nothing by the rules of today.
    if (error.code === 'token.certificate' || error.code === 'token.algorithm')
      return { rests: `${party} has to sign anew: ${error.message}` }
    const remedy = `the text or the key has changed since; compare both copies and have ${party} sign anew`
    return { faults: [fault(name, '', `the signature does not prove this text: ${error.message}`, remedy)] }
  }
}

/** What a signature's file holds, to the byte: header and signature with nothing between, and one line feed. */
const DETACHED = /^([A-Za-z0-9_-]+)\.\.([A-Za-z0-9_-]+)\n$/

/**
 * Throws `token.*` or `form.*` unless the text of the party's signature file is a signature over exactly this agreement, by
 * a key that holds now (epoch milliseconds), or by one that held when it was signed and has only given way to another since.
 */
export function checkSignature(text: Agreement, party: string, detached: string, members: Members, now: number): void {
  const [, header, signature] = DETACHED.exec(detached) ?? []
  if (header === undefined) throw refuse('form.compact', 'not a detached signature and one line feed')
  const jws = readJws(`${header}.${encode(canonical(text))}.${signature}`, SIGNATURE_TYPE)
  const { kid, alg, 'x5t#S256': thumbprint } = jws.header
  const current = members.find(party)?.keys.get(kid)
  const key = current?.thumbprint === thumbprint ? current : members.former(thumbprint)
  if (key === undefined || !bears(key.chain[0], entityOf(party)))
    throw refuse('token.signature', 'by a key that is not the party’s')
  if (key.kid !== kid || key.alg !== alg) throw refuse('token.signature', 'header')
  if (!members.roll.rules.algorithms.includes(alg)) throw refuse('token.algorithm', `${alg} is not in the rules`)
  if (isSuperseded(key, now)) proveFormerKey(party, key, members.anchors, noonOf(text.signedOn), now)
  else proveKey(party, key, members.anchors, now)
  if (!proves(jws, key.key)) throw refuse('token.signature')
}

/** A party's detached signature over the canonical form (RFC 7515 appendix F, RFC 8785), without the line feed of its file. */
export function signAgreement(text: Agreement, signer: Signer): string {
  const [header, , signature] = signer(SIGNATURE_TYPE, canonical(text)).token.split('.')
  return `${header}..${signature}`
}

/** Whether its certificate has ended by now: then it can only have signed before. */
function isSuperseded({ chain: [leaf] }: CertifiedKey, now: number): boolean {
  return leaf !== undefined && leaf.notAfter.getTime() < now
}

/** An instant in the day on which it was signed, Asia/Shanghai. */
function noonOf(day: string): number {
  return Temporal.PlainDate.from(day).toZonedDateTime({ timeZone: 'Asia/Shanghai', plainTime: '12:00' })
    .epochMilliseconds
}

function signed(text: Agreement): Signed {
  const start = (date: Temporal.PlainDate) => date.toZonedDateTime('Asia/Shanghai').epochMilliseconds
  return {
    text,
    digest: digest(text),
    begins: start(Temporal.PlainDate.from(text.validFrom)),
    ends: start(Temporal.PlainDate.from(text.validTo).add({ days: 1 })),
  }
}
