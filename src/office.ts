/** The federation's office says who belongs: from the members' forms and its own rules it signs the next roll, or says every fault. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { ConfigurationError, type Fault, readForm } from '#protocol/fault.ts'
import { readJson } from '#protocol/json.ts'
import { CityId } from '#protocol/message.ts'
import { Refusal } from '#protocol/refusal.ts'
import { type Anchors, provePath, readAnchors } from '#trust/anchors.ts'
import { type Certificate, readCertificates, SIGNING, STATEMENTS, TRANSPORT } from '#trust/certificate.ts'
import { readKeyFile, readPassphrase, signerOf } from '#trust/keys.ts'
import { jsonFiles } from '#trust/members.ts'
import { replaceFile } from '#trust/replace.ts'
import { readEncryptionJwk } from '#trust/seal.ts'
import {
  Bundle,
  certifiedKey,
  type Described,
  numberOf,
  OFFICE,
  Printed,
  Rules,
  readRoll,
  rollOf,
} from '#trust/statement.ts'

const Both = z.strictObject({ zh: Printed, en: Printed })
const files = z.array(z.string().regex(/^[A-Za-z0-9._-]+$/)).min(1)

/** What a city hands in to be admitted: `members/<id>.json`. */
export const MemberForm = z.strictObject({
  $schema: z.string().optional(),
  id: CityId.refine(id => id !== OFFICE, 'is the name of the office'),
  name: Both,
  divisions: z.array(z.string().regex(/^[0-9]{6}$/)).min(1),
  endpoint: z.url({ protocol: /^https$/ }),
  /** Files among the public certificates: each the certificate, followed by its issuers up to, not including, the root. */
  certificates: z.strictObject({ signing: files, transport: files }),
  /** Public encryption keys, as `xinqiao keys new encryption` prints them; needed where an agreement is confidential. */
  encryption: z.array(z.record(z.string(), z.string())).optional(),
})

export type OfficePlaces = {
  readonly config: string
  readonly certs: string
  /** The folder with `office.pem`, the office's private key. */
  readonly keys: string
  readonly passphrase?: string | undefined
}

/** The office's certificate among the public ones. */
const CERTIFICATE = `${OFFICE}.pem`

/**
 * Signs the next roll of the cities whose forms lie in `<config>/members`, under the rules of `<config>/rules.json`, and
 * writes it to `<config>/roll.json`. It holds for so many days from `now` (epoch milliseconds). Throws ConfigurationError with every
 * fault; then nothing is written.
 */
export async function signRoll(places: OfficePlaces, days: number, now: number) {
  const { config, certs } = places
  const faults: Fault[] = []
  const rules = readFile(config, 'rules.json', Rules, faults)
  const anchors = readAnchors(certs, faults, () => (rules?.crlGraceSeconds ?? 0) * 1000)
  const prove = provedBy(anchors, now, faults)
  const forms = jsonFiles(join(config, 'members'))
  const members: Described[] = []
  for (const name of forms) {
    const file = `members/${name}`
    const form = readFile(config, file, MemberForm, faults)
    const member = form && (await described(form, file, certs, prove, faults))
    if (member === undefined) continue
    if (`${member.id}.json` !== name) {
      faults.push({ file, path: 'id', problem: 'differs from the file name', remedy: 'name the file after the id' })
    }
    for (const key of member.keys.filter(({ alg }) => rules?.algorithms.includes(alg) === false)) {
      const problem = `${key.alg} is not an algorithm of rules.json`
      faults.push({
        file,
        path: 'certificates.signing',
        problem,
        remedy: 'have another key certified, or change the rules',
      })
    }
    members.push(member)
  }
  if (forms.length === 0) {
    faults.push({ file: 'members', path: '', problem: 'no member', remedy: 'put one form for each city there' })
  }
  const office = await readOffice(places, prove, faults)
  if (faults.length > 0 || office === undefined || rules === undefined) throw new ConfigurationError(faults)
  const number = previous(config) + 1
  const bundle = rollOf(members, { number, rules, days, now }, office)
  const roll = await readRoll(bundle, anchors, now)
  replaceFile(join(config, 'roll.json'), `${JSON.stringify(bundle, null, 2)}\n`)
  return roll
}

type Prove = (
  file: string,
  path: string,
  id: string,
  chain: readonly Certificate[],
  purposes: readonly string[],
) => void

/** Proves that a certificate is what its place says, and makes a fault of it where it is not. */
function provedBy(anchors: Anchors, now: number, faults: Fault[]): Prove {
  return (file, path, id, chain, purposes) => {
    try {
      provePath(id, chain, anchors, now, purposes)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const remedy =
        'have the certificate made by the profile of docs/protocol.md, or load the current revocation lists'
      faults.push({ file, path, problem: error.message, remedy })
    }
  }
}

async function described(
  { certificates, encryption = [], $schema: _, ...form }: z.infer<typeof MemberForm>,
  file: string,
  certs: string,
  prove: Prove,
  faults: Fault[],
): Promise<Described> {
  const load = (kind: 'signing' | 'transport', purposes: readonly string[]) =>
    certificates[kind].flatMap((name, i) => {
      const path = `certificates.${kind}[${i}]`
      const chain = readChain(certs, name, file, path, faults)
      if (chain !== undefined) prove(file, path, form.id, chain, purposes)
      return chain === undefined ? [] : [chain]
    })
  const signing = await Promise.all(load('signing', [SIGNING]).map(certifiedKey))
  for (const [i, each] of encryption.entries()) {
    try {
      readEncryptionJwk(each)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const remedy = 'take it as `xinqiao keys new encryption` prints it'
      faults.push({ file, path: `encryption[${i}]`, problem: error.message, remedy })
    }
  }
  if (signing.includes(undefined)) {
    const problem = 'a key of a kind not in use'
    faults.push({
      file,
      path: 'certificates.signing',
      problem,
      remedy: 'P-256, Ed25519, or what docs/protocol.md names',
    })
  }
  const keys = signing.filter(key => key !== undefined)
  return { ...form, keys, transport: load('transport', TRANSPORT), encryption }
}

async function readOffice({ certs, keys, passphrase }: OfficePlaces, prove: Prove, faults: Fault[]) {
  const path = join(keys, 'office.pem')
  if (!existsSync(path)) {
    const remedy = 'name its folder with --keys, or make one with `xinqiao office new`'
    faults.push({ file: 'office.pem', path: '', problem: 'there is no such key file', remedy })
  }
  const privateKey = existsSync(path)
    ? readKeyFile(path, 'office.pem', readPassphrase(passphrase, faults), faults)
    : undefined
  const chain = readChain(certs, CERTIFICATE, `certs/${CERTIFICATE}`, '', faults)
  if (chain === undefined || privateKey === undefined) return undefined
  prove(`certs/${CERTIFICATE}`, '', OFFICE, chain, [STATEMENTS])
  const key = await certifiedKey(chain)
  if (key === undefined || chain[0]?.openssl.checkPrivateKey(privateKey) !== true) {
    const remedy = 'have the request of this key certified'
    faults.push({ file: 'office.pem', path: '', problem: 'is not the key of the office’s certificate', remedy })
    return undefined
  }
  return { signer: signerOf(key, privateKey), key }
}

function readChain(
  certs: string,
  name: string,
  file: string,
  path: string,
  faults: Fault[],
): Certificate[] | undefined {
  try {
    return readCertificates(readFileSync(join(certs, name), 'utf8'))
  } catch (error) {
    const problem = `certs/${name} is not readable as PEM certificates: ${error}`
    const remedy = 'put the certificate there, followed by its issuers up to, not including, the root'
    faults.push({ file, path, problem, remedy })
    return undefined
  }
}

function readFile<T>(config: string, file: string, form: z.ZodType<T>, faults: Fault[]): T | undefined {
  const path = join(config, file)
  if (existsSync(path)) return readForm({ file, text: readFileSync(path, 'utf8') }, form, faults)
  faults.push({ file, path: '', problem: 'there is no such file', remedy: 'take it from the shipped configuration' })
  return undefined
}

/** The number of the roll that lies there, 0 where there is none. */
function previous(config: string): number {
  const path = join(config, 'roll.json')
  return existsSync(path) ? numberOf(Bundle.parse(readJson(readFileSync(path, 'utf8')))) : 0
}
