/**
 * Who belongs is said in signed statements and in no other way: the roll, one statement about each member, and what each
 * member says of itself (the shape of OpenID Federation 1.0 section 3, with entity types of our own).
 */
import { X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { canonical, sha256 } from '#protocol/canonical.ts'
import { readJson } from '#protocol/json.ts'
import { CityId, limits } from '#protocol/message.ts'
import { refuse } from '#protocol/refusal.ts'
import { type Anchors, type CertifiedKey, provePath } from './anchors.ts'
import { type Certificate, readCertificate, SIGNING, STATEMENTS } from './certificate.ts'
import { algorithmOf, algorithms, decode, keyId, proves, publicJwk, readJws } from './jws.ts'
import type { Signer } from './keys.ts'

/** OpenID Federation 1.0 section 3.1. */
export const STATEMENT_TYPE = 'entity-statement+jwt'
/** The id under which the federation's office signs; no city can have it. */
export const OFFICE = 'federation'

/** The entity identifier of a city: the name that stands in its certificates. */
export function entityOf(id: string): string {
  return `xinqiao://${id}.city`
}

const Entity = z.string().regex(/^xinqiao:\/\/[a-z][a-z0-9-]{1,30}\.city$/)
const Hash = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
const Seconds = z.int().min(1_500_000_000).max(4_102_444_800)
/** The certificate, then its issuers without the root, each the base64 of its DER (RFC 7515 section 4.1.6). */
const Chain = z.array(z.base64().max(16_384)).min(1).max(4)
const SigningJwk = z
  .object({ kty: z.string(), kid: Hash, alg: z.enum(algorithms), use: z.literal('sig'), x5c: Chain })
  .catchall(z.string().max(8_192))
const SigningJwks = z.strictObject({ keys: z.array(SigningJwk).min(1).max(8) })

/** Read where it is used (`seal.ts`). */
const EncryptionJwk = z.record(z.string(), z.string().max(200))

/** A name that shows as it is: nothing in it moves a cursor or begins a line, for rolls are compared by eye. */
export const Printed = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[^\p{C}\p{Zl}\p{Zp}]+$/u, 'holds a character that does not show')

/** Where a member's ledger is to be watched: the origin of its log and the C2SP verifier key of its checkpoints. */
const LogMetadata = z.strictObject({
  origin: z.string().regex(/^xinqiao\/[a-z][a-z0-9-]{1,30}\/[0-9a-f-]{36}$/),
  key: z.string().max(200),
})
export type LogMetadata = z.infer<typeof LogMetadata>

/** What of a member is the same in the office's statement about it and in its own. */
const GatewayMetadata = z.strictObject({
  name: z.strictObject({ zh: Printed, en: Printed }),
  /** GB/T 2260 codes, today's first; a code that was given up stays, for it lives on in the codes of subjects. */
  divisions: z
    .array(z.string().regex(/^[0-9]{6}$/))
    .min(1)
    .max(64),
  /** The one address that is ever called; the office's word counts, not the member's own. */
  endpoint: z.url({ protocol: /^https$/ }).max(200),
  transport: z.array(Chain).min(1).max(8),
  encryption: z.array(EncryptionJwk).max(4),
  /** Of the member's own word: the office's does not name it. */
  log: LogMetadata.optional(),
})

/** The federation's rules, the same for everyone, in force from the roll that names them. */
export const Rules = z.strictObject({
  /** Algorithms with which members may sign 签名算法. */
  algorithms: z.array(z.enum(algorithms)).min(1),
  /** How long a revocation list may outlive its nextUpdate 吊销列表宽限期. */
  crlGraceSeconds: z
    .int()
    .min(0)
    .max(14 * 86_400),
  /** How long a member publishes a new key before it signs with it 新密钥公示期. */
  publishSeconds: z
    .int()
    .min(10)
    .max(30 * 86_400),
})
export type Rules = z.infer<typeof Rules>

const times = { iat: Seconds, exp: Seconds }
const RollClaims = z.strictObject({
  iss: z.literal(entityOf(OFFICE)),
  sub: z.literal(entityOf(OFFICE)),
  ...times,
  jwks: SigningJwks,
  metadata: z.strictObject({
    xinqiao_federation: z.strictObject({
      /** Rises with every roll; a lower one is never taken again. */
      number: z.int().min(1),
      rules: Rules,
      members: z.array(z.strictObject({ sub: Entity, statement: Hash })).max(1000),
    }),
  }),
})
const MemberClaims = z.strictObject({
  iss: z.literal(entityOf(OFFICE)),
  sub: Entity,
  ...times,
  jwks: SigningJwks,
  metadata: z.strictObject({ xinqiao_gateway: GatewayMetadata }),
})
const ConfigurationClaims = z.strictObject({
  iss: Entity,
  sub: Entity,
  ...times,
  jwks: SigningJwks,
  authority_hints: z.tuple([z.literal(entityOf(OFFICE))]),
  metadata: z.strictObject({ xinqiao_gateway: GatewayMetadata }),
  /** Absent where the asker goes by it already. */
  roll: z.lazy(() => Bundle).optional(),
})

/** A roll with the statements it names, in one file, so that it can be replaced as one. */
export const Bundle = z.strictObject({ roll: z.string(), statements: z.array(z.string()).max(1000) })
export type Bundle = z.infer<typeof Bundle>

/** What a statement says of a member. */
export type Described = {
  readonly id: string
  readonly name: { readonly zh: string; readonly en: string }
  readonly divisions: readonly string[]
  readonly endpoint: string
  readonly keys: readonly CertifiedKey[]
  readonly transport: readonly (readonly Certificate[])[]
  readonly encryption: readonly Readonly<Record<string, string>>[]
  readonly log?: LogMetadata | undefined
}

/** A roll that the office's certificate proves. */
export type Roll = {
  readonly number: number
  readonly rules: Rules
  readonly members: readonly Described[]
  /** Epoch milliseconds of its making, and of the first instant at which it or one of its statements is no longer believed. */
  readonly made: number
  readonly until: number
  /** SHA-256 of its signing input: two rolls of one number are one roll or a fork. */
  readonly digest: string
  /** The certificate of the office's key that signed it, and its issuers. */
  readonly office: readonly Certificate[]
  readonly bundle: Bundle
}

/** The longest a roll may be believed: a gateway cut off from the federation shall notice. */
const LONGEST = 400 * 86_400

/**
 * Proves a roll and every statement that it names, at this instant (epoch milliseconds). Throws `form.*` and `token.*`. That it
 * is not older than what is held already is for whoever holds one to ask.
 */
export async function readRoll(bundle: Bundle, anchors: Omit<Anchors, 'grace'>, now: number): Promise<Roll> {
  const jws = readJws(bundle.roll, STATEMENT_TYPE)
  const claims = parsed(RollClaims, jws.payload)
  const { number, rules, members } = claims.metadata.xinqiao_federation
  const office = await keysOf(claims.jwks)
  // The roll's own rules hold for its own proof: who may sign them may say how fresh the lists under them have to be.
  const own = { ...anchors, grace: () => rules.crlGraceSeconds * 1000 }
  const signedBy = (token: string, { header, ...rest } = readJws(token, STATEMENT_TYPE)) => {
    const key = office.find(({ kid }) => kid === header.kid)
    if (key === undefined || key.thumbprint !== header['x5t#S256'] || key.alg !== header.alg) {
      throw refuse('token.signature', 'no key of the office')
    }
    provePath(OFFICE, key.chain, own, now, [STATEMENTS])
    if (!proves({ header, ...rest }, key.key)) throw refuse('token.signature')
    return { ...rest, key }
  }
  const { key } = signedBy(bundle.roll, jws)
  current(claims, now, LONGEST)
  const named = new Map(members.map(({ sub, statement }) => [statement, sub]))
  if (new Set(members.map(({ sub }) => sub)).size !== members.length) throw refuse('token.claims', 'a member twice')
  if (bundle.statements.length !== members.length) throw refuse('token.claims', 'more or fewer statements than named')
  const described = new Map<string, Described>()
  let until = claims.exp
  for (const token of bundle.statements) {
    const { payload, signingInput } = signedBy(token)
    const statement = parsed(MemberClaims, payload)
    if (named.get(sha256(signingInput)) !== statement.sub) throw refuse('token.claims', 'a statement that is not named')
    current(statement, now, LONGEST)
    until = Math.min(until, statement.exp)
    described.set(statement.sub, await describe(statement.sub, statement))
  }
  if (described.size !== members.length) throw refuse('token.claims', 'a statement is missing')
  return {
    number,
    rules,
    members: [...described.values()],
    made: claims.iat * 1000,
    until: until * 1000,
    digest: sha256(jws.signingInput),
    office: key.chain,
    bundle,
  }
}

const Numbered = z.object({ metadata: z.object({ xinqiao_federation: z.object({ number: z.int() }) }) })

/** The number that a roll bears, without any proof: for one that was proved when it was written down. Throws `form.*`. */
export function numberOf({ roll }: Bundle): number {
  return parsed(Numbered, readJws(roll, STATEMENT_TYPE).payload).metadata.xinqiao_federation.number
}

/** What a member says of itself, proved. `roll` is the one it goes by, not proved. */
export type Configuration = {
  readonly described: Described
  /** Epoch milliseconds. */
  readonly made: number
  readonly roll: Bundle | undefined
}

/**
 * Proves what a city says of itself: signed by a key that its certificate makes the city's, and published in it. Throws
 * `form.*` and `token.*`. `now` is epoch milliseconds.
 */
export async function readConfiguration(
  token: string,
  city: string,
  anchors: Anchors,
  now: number,
  again = false,
): Promise<Configuration> {
  const jws = readJws(token, STATEMENT_TYPE)
  const claims = parsed(ConfigurationClaims, jws.payload)
  if (claims.iss !== entityOf(city) || claims.sub !== claims.iss) throw refuse('token.issuer')
  const described = await describe(claims.sub, claims)
  if (described.log?.origin.startsWith(`xinqiao/${city}/`) === false) throw refuse('token.claims', 'the log of another')
  const key = described.keys.find(({ kid }) => kid === jws.header.kid)
  if (key === undefined || key.thumbprint !== jws.header['x5t#S256'] || key.alg !== jws.header.alg) {
    throw refuse('token.signature', 'no key of its own')
  }
  provePath(city, key.chain, anchors, now, [SIGNING])
  if (!proves(jws, key.key)) throw refuse('token.signature')
  // What was believed once goes on until the city says something newer: else its end would bring back the keys before it.
  current(claims, again ? claims.iat * 1000 : now, DAY)
  return { described, made: claims.iat * 1000, roll: claims.roll }
}

const DAY = 86_400

function current({ iat, exp }: { iat: number; exp: number }, now: number, longest: number): void {
  const seconds = now / 1000
  if (exp <= seconds) throw refuse('token.expired')
  if (iat > seconds + limits.skew) throw refuse('token.future')
  if (exp <= iat || exp - iat > longest) throw refuse('token.window')
}

function parsed<T>(form: z.ZodType<T>, payload: string): T {
  const claims = form.safeParse(readJson(decode(payload)))
  if (claims.success) return claims.data
  throw refuse('token.claims', claims.error.issues.map(({ path, code }) => `${path.join('.')} ${code}`).join(', '))
}

async function describe(
  sub: string,
  { jwks, metadata }: { jwks: z.infer<typeof SigningJwks>; metadata: { xinqiao_gateway: GatewayMetadata } },
): Promise<Described> {
  const id = CityId.safeParse(sub.slice('xinqiao://'.length, -'.city'.length))
  if (!id.success || id.data === OFFICE) throw refuse('token.claims', 'no id of a city')
  const { transport, encryption, ...rest } = metadata.xinqiao_gateway
  return { id: id.data, ...rest, keys: await keysOf(jwks), transport: transport.map(chainOf), encryption }
}

type GatewayMetadata = z.infer<typeof GatewayMetadata>

/** Keys as their certificates hold them; what the JSON Web Key says beside it has to be the same. */
async function keysOf({ keys }: z.infer<typeof SigningJwks>): Promise<CertifiedKey[]> {
  return Promise.all(
    keys.map(async ({ x5c, kid, alg, use, ...jwk }) => {
      const key = await certifiedKey(chainOf(x5c))
      const same = key?.kid === kid && key.alg === alg && canonical(publicJwk(key.key)) === canonical(jwk)
      if (key === undefined || !same) throw refuse('token.claims', 'a key that is not its certificate’s')
      return key
    }),
  )
}

function chainOf(x5c: readonly string[]): Certificate[] {
  try {
    return x5c.map(each => readCertificate(Buffer.from(each, 'base64')))
  } catch (error) {
    throw refuse('token.claims', 'a certificate that cannot be read', error)
  }
}

/** The key of a chain's first certificate; undefined where it is of no algorithm in the registry. */
export async function certifiedKey(chain: readonly Certificate[]): Promise<CertifiedKey | undefined> {
  const [leaf] = chain
  const key = leaf?.publicKey
  const alg = key && algorithmOf(key)
  if (leaf === undefined || key === undefined || alg === undefined) return undefined
  return { kid: await keyId(key), alg, key, thumbprint: leaf.digest, chain }
}

/** Whether a certificate bears the name of an entity; that it does so rightly is for the proof. */
export function bears(certificate: Certificate | undefined, entity: string): boolean {
  return certificate?.alternativeNames.some(({ form, value }) => form === 'uri' && value === entity) === true
}

/** A certificate chain as PEM, its first certificate first. */
export function pemOf(chain: readonly Certificate[]): string {
  return chain.map(({ der }) => new X509Certificate(der).toString()).join('')
}

function x5c(chain: readonly Certificate[]): string[] {
  return chain.map(({ der }) => Buffer.from(der).toString('base64'))
}

function jwksOf(keys: readonly CertifiedKey[]): z.infer<typeof SigningJwks> {
  return {
    keys: keys.map(({ kid, alg, key, chain }) =>
      SigningJwk.parse({ ...publicJwk(key), kid, alg, use: 'sig', x5c: x5c(chain) }),
    ),
  }
}

function metadataOf({ name, divisions, endpoint, transport, encryption, log }: Described): GatewayMetadata {
  return {
    name: { ...name },
    divisions: [...divisions],
    endpoint,
    transport: transport.map(x5c),
    encryption: encryption.map(each => ({ ...each })),
    ...(log && { log }),
  }
}

/** Signs with the office's key. */
type Office = { readonly signer: Signer; readonly key: CertifiedKey }

/** Makes the roll of these members. `days` counts from `now` (epoch milliseconds). */
export function rollOf(
  members: readonly Described[],
  { number, rules, days, now }: { number: number; rules: Rules; days: number; now: number },
  { signer, key }: Office,
): Bundle {
  const iat = Math.floor(now / 1000)
  const common = { iss: entityOf(OFFICE), iat, exp: iat + days * DAY }
  const statements = members.map(member => ({
    sub: entityOf(member.id),
    ...signer(
      STATEMENT_TYPE,
      JSON.stringify({
        ...common,
        sub: entityOf(member.id),
        jwks: jwksOf(member.keys),
        metadata: { xinqiao_gateway: metadataOf(member) },
      }),
    ),
  }))
  const named = statements.map(({ sub, signingInput }) => ({ sub, statement: sha256(signingInput) }))
  const roll = signer(
    STATEMENT_TYPE,
    JSON.stringify({
      ...common,
      sub: entityOf(OFFICE),
      jwks: jwksOf([key]),
      metadata: { xinqiao_federation: { number, rules, members: named } },
    }),
  )
  return { roll: roll.token, statements: statements.map(({ token }) => token) }
}

/**
 * What a member says of itself, signed with its key of now, made at `iat` (epoch seconds) and good for a day; with the roll
 * for whoever does not have it yet.
 */
export function configurationOf(us: Described, roll: Bundle | undefined, signer: Signer, iat: number): string {
  return signer(
    STATEMENT_TYPE,
    JSON.stringify({
      iss: entityOf(us.id),
      sub: entityOf(us.id),
      iat,
      exp: iat + DAY,
      jwks: jwksOf(us.keys),
      authority_hints: [entityOf(OFFICE)],
      metadata: { xinqiao_gateway: metadataOf(us) },
      ...(roll && { roll }),
    }),
  ).token
}
