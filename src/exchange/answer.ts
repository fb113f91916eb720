/** A peer's question is answered in one straight line, and nothing on it can be left out: each step takes what only the step before makes. */
import { authorise } from '#agreement/authorise.ts'
import { disclose } from '#agreement/disclose.ts'
import { type Query, types } from '#protocol/message.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import { translate } from '#schema/translate.ts'
import { lookUp } from '#source/source.ts'
import { type Kind, seal } from '#trust/seal.ts'
import { answerTo, refusalTo, sign } from '#trust/sign.ts'
import { type Received, type Verified, verify } from '#trust/verify.ts'
import type { City } from './city.ts'
import { disclosed, refused } from './entries.ts'

/** A signed message as it travels, sealed where its question was, and what our own log may say of it. */
export type Reply = {
  readonly kind: 'answer' | 'refusal'
  readonly token: string
  readonly request: Verified<Query>
  readonly refusal?: Refusal
}

/**
 * Answers a question (docs/protocol.md section 3). Throws a Refusal, to be told unsigned, for what could not be verified
 * and for what could not be recorded; everything else is answered under signature and stands in the ledger before.
 */
export async function answer(received: Received, city: City): Promise<Reply> {
  const request = await verify(received, city) // a stranger stops here
  const dress = dressing(request)
  try {
    const permission = await authorise(request, city)
    const records = await lookUp(permission, city.sources)
    const shared = translate(records, city.mapping)
    const disclosure = disclose(shared, permission)
    const { entry, evidence } = disclosed(request, disclosure, permission, city.now())
    const receipt = await city.ledger.append(entry, evidence)
    const outgoing = answerTo(request, disclosure, receipt, city.newJti(), city.now())
    const { token } = sign(outgoing, city.keys().signer)
    if (evidence !== undefined) city.ledger.keep(receipt.index, { answer: token, around: outgoing.around })
    return { kind: 'answer', token: await dress(token, types.answer), request }
  } catch (error) {
    return await refusing(request, error, dress, city)
  }
}

type Dress = (token: string, typ: Kind) => string | Promise<string>

/** How the reply travels: as the question did. Throws `token.sealed` for an asker for whom nothing can be sealed; it gets no work out of us. */
function dressing({ sealed, member }: Verified<Query>): Dress {
  if (!sealed) return token => token
  const [to] = member.encryption.values()
  if (to === undefined) throw refuse('token.sealed', `${member.id} publishes no encryption key`)
  return (token, typ) => seal(token, typ, to)
}

/** What cannot be recorded cannot be signed, and a replay that raced its twin is told what any replay is told. */
const unrecorded: ReadonlySet<string> = new Set(['ledger.unavailable', 'load.busy', 'token.replayed'])

async function refusing(request: Verified<Query>, error: unknown, dress: Dress, city: City): Promise<Reply> {
  const refusal = error instanceof Refusal ? error : refuse('fault', 'while answering', error)
  if (unrecorded.has(refusal.code)) throw refusal
  const { entry, evidence: held } = refused(request, refusal, city.now())
  // Who asks beyond its quota must not fill the disk as well: the entry and its hash are enough.
  const evidence = refusal.code === 'load.rate' ? undefined : held
  const receipt = await city.ledger.append(entry, evidence).catch(second => {
    // The question was entered as answered before it failed: what failed is told, not that it came twice.
    throw second instanceof Refusal && second.code === 'token.replayed' ? refusal : second
  })
  const { token } = sign(refusalTo(request, refusal, receipt, city.newJti(), city.now()), city.keys().signer)
  if (evidence !== undefined) city.ledger.keep(receipt.index, { answer: token })
  return { kind: 'refusal', token: await dress(token, types.refusal), request, refusal }
}
