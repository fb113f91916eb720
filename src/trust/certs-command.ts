/** `xinqiao certs verify`: what the gateway would say about a certificate, without a gateway; also a file of test cases. */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import {
  type Certificate,
  CLIENT_AUTH,
  type Crl,
  crlStore,
  type PathReason,
  type PeerName,
  readCertificate,
  readCertificates,
  readCrls,
  SERVER_AUTH,
  SIGNING,
  validatePath,
} from './certificate.ts'
import { Malformed } from './der.ts'

/** The ways to call it, for the help text too. */
export const certsUsage = [
  `certs verify --roots FILE [--untrusted FILE] --leaf FILE --at ISO [--crls FILE]
         [--eku OID|serverAuth|clientAuth|signing]... [--name NAME] [--max-depth N] [--profile rfc5280|federation]`,
  'certs verify --cases FILE',
]

const purposes: ReadonlyMap<string, string> = new Map([
  ['serverAuth', SERVER_AUTH],
  ['clientAuth', CLIENT_AUTH],
  ['codeSigning', '1.3.6.1.5.5.7.3.3'],
  ['emailProtection', '1.3.6.1.5.5.7.3.4'],
  ['timeStamping', '1.3.6.1.5.5.7.3.8'],
  ['OCSPSigning', '1.3.6.1.5.5.7.3.9'],
  ['anyExtendedKeyUsage', '2.5.29.37.0'],
  ['signing', SIGNING],
])

/** RFC 3339 with an offset: a time without one would be read in the zone of the machine. */
const Instant = z.iso.datetime({ offset: true }).transform(text => new Date(text))

const Purpose = z.string().transform((text, context) => {
  const oid = purposes.get(text) ?? text
  if (!/^\d+(\.\d+)+$/.test(oid)) context.addIssue(`no such purpose: ${text}`)
  return oid
})

const Arguments = z.strictObject({
  roots: z.string(),
  untrusted: z.string().optional(),
  leaf: z.string(),
  at: Instant,
  crls: z.string().optional(),
  eku: z.array(Purpose).default([]),
  name: z.string().optional(),
  'max-depth': z.coerce.number().int().min(0).optional(),
  profile: z.enum(['rfc5280', 'federation']).default('rfc5280'),
})

const options = {
  roots: { type: 'string' },
  untrusted: { type: 'string' },
  leaf: { type: 'string' },
  at: { type: 'string' },
  crls: { type: 'string' },
  eku: { type: 'string', multiple: true },
  name: { type: 'string' },
  'max-depth': { type: 'string' },
  profile: { type: 'string' },
  cases: { type: 'string' },
} as const

/** Exit status: 0 accepted, 1 refused (with `--cases`: 1 when a case that must fail was accepted), 2 usage. */
export async function certsVerify(args: readonly string[], out: (line: string) => void): Promise<0 | 1 | 2> {
  try {
    const { values } = parseArgs({ args: [...args], options, allowPositionals: false })
    const { cases, ...rest } = values
    if (cases !== undefined) {
      if (Object.keys(rest).length > 0) throw new TypeError('--cases stands alone')
      return verifyCases(cases, out)
    }
    return verifyOne(Arguments.parse(rest), out)
  } catch (error) {
    out(
      `参数有误 the words of the call are wrong:\n${error instanceof z.ZodError ? z.prettifyError(error) : error}\n用法 usage: ${certsUsage.map(each => `xinqiao ${each}`).join('\n       ')}`,
    )
    return 2
  }
}

type Verdict = { readonly ok: boolean; readonly reason: PathReason | null }

/** Files are read before anything is judged: a missing file is a matter of usage, a malformed one a refusal. */
function verifyOne(args: z.infer<typeof Arguments>, out: (line: string) => void): 0 | 1 {
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path))
  const files = [args.leaf, args.roots, args.untrusted, args.crls].map(read)
  const [leaf = Buffer.of(), roots = Buffer.of(), untrusted, crls] = files
  const verdict = judged(() => {
    // A member's file holds its certificate first and then its issuers': those help to find the path, and prove nothing.
    const [first, ...issuers] = certificatesIn(leaf)
    if (first === undefined) throw new Malformed('no certificate')
    const question = {
      leaf: first,
      untrusted: [...issuers, ...(untrusted ? certificatesIn(untrusted) : [])],
      roots: certificatesIn(roots),
      at: args.at,
      purposes: args.eku,
      profile: args.profile,
      ...(args.name !== undefined && { name: peerName(args.name) }),
      ...(args['max-depth'] !== undefined && { maxDepth: args['max-depth'] }),
    }
    return validatePath(crls ? { ...question, crls: storeOf(readCrls(crls.toString('latin1'))) } : question)
  })
  out(JSON.stringify(verdict))
  return verdict.ok ? 0 : 1
}

function judged(judge: () => ReturnType<typeof validatePath>): Verdict {
  try {
    const result = judge()
    return { ok: result.ok, reason: result.ok ? null : result.reason }
  } catch (error) {
    if (error instanceof Malformed) return { ok: false, reason: 'malformed' }
    throw error
  }
}

/** A DER file begins with the tag of a SEQUENCE, which no PEM file does. */
const isDer = (file: Buffer) => file[0] === 0x30
const certificatesIn = (file: Buffer) =>
  isDer(file) ? [readCertificate(file)] : readCertificates(file.toString('latin1'))

function storeOf(crls: readonly Crl[]) {
  const store = crlStore()
  for (const crl of crls) store.add(crl)
  return store
}

/** The form of a name by its looks: address, URI, mailbox, else host. */
function peerName(value: string): PeerName {
  if (isIP(value)) return { form: 'ip', value }
  if (value.includes('://')) return { form: 'uri', value }
  return { form: value.includes('@') ? 'email' : 'dns', value }
}

const Name = z.object({ kind: z.enum(['DNS', 'IP', 'RFC822']), value: z.string() })

/** What is used of https://x509-limbo.com's schema. */
const Case = z.object({
  id: z.string(),
  validation_kind: z.enum(['CLIENT', 'SERVER']),
  trusted_certs: z.array(z.string()),
  untrusted_intermediates: z.array(z.string()),
  peer_certificate: z.string(),
  validation_time: Instant.nullish(),
  extended_key_usage: z.array(Purpose),
  expected_result: z.enum(['SUCCESS', 'FAILURE']),
  expected_peer_name: Name.nullish(),
  expected_peer_names: z.array(Name).nullish(),
  max_chain_depth: z.number().nullish(),
  crls: z.array(z.string()).nullish(),
})

function verifyCases(path: string, out: (line: string) => void): 0 | 1 {
  const { testcases } = z.object({ testcases: z.array(Case) }).parse(JSON.parse(readFileSync(path, 'utf8')))
  let accepted = 0
  for (const each of testcases) {
    const start = performance.now()
    const { ok, reason } = judged(() => judgeCase(each))
    const ms = Math.round((performance.now() - start) * 10) / 10
    const [expected, got] = [each.expected_result, ok ? 'SUCCESS' : 'FAILURE']
    if (ok && expected === 'FAILURE') accepted++
    out(JSON.stringify({ id: each.id, expected, got, reason, ms }))
  }
  return accepted === 0 ? 0 : 1
}

const nameForm = { DNS: 'dns', IP: 'ip', RFC822: 'email' } as const

/** Every name that a case expects must be found; the path is then the same one. */
function judgeCase(each: z.infer<typeof Case>): ReturnType<typeof validatePath> {
  const asked = [...(each.expected_peer_name ? [each.expected_peer_name] : []), ...(each.expected_peer_names ?? [])]
  const [first, ...others] = asked.map(({ kind, value }): PeerName => ({ form: nameForm[kind], value }))
  const leaf = readCertificate(each.peer_certificate)
  const issuers = [each.untrusted_intermediates, each.trusted_certs].map(readable)
  const [untrusted = [], roots = []] = issuers.map(({ certificates }) => certificates)
  const question = {
    leaf,
    untrusted,
    roots,
    at: each.validation_time ?? new Date(),
    purposes: purposesOf(each, leaf),
    profile: 'rfc5280',
    ...(each.max_chain_depth != null && { maxDepth: each.max_chain_depth }),
    ...(each.crls?.length && { crls: storeOf(each.crls.flatMap(readCrls)) }),
  } as const
  const result = validatePath(first ? { ...question, name: first } : question)
  const refused = result.ok && others.map(name => validatePath({ ...question, name })).find(other => !other.ok)
  const malformed = issuers.flatMap(({ faults }) => faults)[0]
  if (!result.ok && result.reason === 'path.no-issuer' && malformed) throw malformed
  return refused || result
}

/** A case that names no purpose still has a kind, which binds a leaf that has any purposes at all. */
function purposesOf(each: z.infer<typeof Case>, leaf: Certificate): readonly string[] {
  if (each.extended_key_usage.length > 0 || leaf.purposes === undefined) return each.extended_key_usage
  return [each.validation_kind === 'SERVER' ? SERVER_AUTH : CLIENT_AUTH]
}

/** Someone else's certificate that cannot be read stands in no path, and so in nobody's way. */
function readable(pems: readonly string[]): { certificates: Certificate[]; faults: Malformed[] } {
  const certificates: Certificate[] = []
  const faults: Malformed[] = []
  for (const pem of pems) {
    try {
      certificates.push(...readCertificates(pem))
    } catch (error) {
      if (!(error instanceof Malformed)) throw error
      faults.push(error)
    }
  }
  return { certificates, faults }
}
